// JSON as the bus answers it, read: every value keeps its own text, so that --json can pass it on
// with nothing lost (numbers stay digits).
#pragma once

#include "bus/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::command {

/// One value of a document. Copies share the document's text; immutable.
class JsonView {
  public:
    /// malformed names the offset. At most 64 levels.
    static Result<JsonView> parse(std::string text);

    std::string_view raw() const { return raw_; }
    bool isNull() const { return raw_.empty() || raw_ == "null"; }
    /// The text of a string, unescaped; the digits of a number; "true", "false"; else empty.
    std::string text() const;
    std::uint64_t number() const;  ///< 0 where it is not a whole number
    bool boolean() const { return raw_ == "true"; }

    const std::vector<JsonView>& elements() const { return elements_; }
    const std::vector<std::pair<std::string, JsonView>>& members() const { return members_; }
    /// The member of that name; a null value where it is absent.
    const JsonView& operator[](std::string_view name) const;

  private:
    class Reader;

    std::shared_ptr<const std::string> document_;
    std::string_view raw_;
    std::vector<JsonView> elements_;
    std::vector<std::pair<std::string, JsonView>> members_;
};

}  // namespace busbar::command
