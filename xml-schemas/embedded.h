// The table that embed.cmake generates from the schema files of this folder.
#pragma once

#include <span>
#include <string_view>

namespace busbar::xml {

struct EmbeddedFile {
    std::string_view name;
    std::string_view text;
};

/// All of them, as they were when the program was built.
std::span<const EmbeddedFile> embeddedFiles();

}  // namespace busbar::xml
