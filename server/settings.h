// Private to this folder: the table of single values, by key.
#pragma once

#include "server/configuration.h"

#include <string>
#include <string_view>
#include <vector>

namespace busbar {

/// One value: "section.attribute", or "attribute" for those of the root element.
struct Setting {
    std::string key;
    std::function<Result<void>(Configuration&, std::string_view)> set;
    std::function<std::string(const Configuration&)> get;
};

/// All of them.
const std::vector<Setting>& allSettings();

/// Sets an option of a queue by its attribute name. notFound where there is no such option.
Result<void> setQueueOption(QueueOptions& options, std::string_view name, std::string_view value);

/// The attributes that say `options`.
std::vector<std::pair<std::string, std::string>> queueOptionAttributes(const QueueOptions& options);

}  // namespace busbar
