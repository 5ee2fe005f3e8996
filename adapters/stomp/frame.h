// The values on the wire.
#pragma once

#include "bus/base/buffer.h"

#include <string_view>
#include <utility>
#include <vector>

namespace busbar::stomp {

enum class Version : unsigned char { v10, v11, v12 };

/// "1.2"
constexpr std::string_view name(Version version) {
    return version == Version::v10 ? "1.0" : version == Version::v11 ? "1.1" : "1.2";
}

struct Header {
    std::string_view name, value;
};

/// One frame, as views that are good until the parser is called again.
struct Frame {
    std::string_view command;
    std::vector<Header> headers;
    std::string_view body;
    Buffer gathered;  ///< the body once more where it had to be put together: shared without a copy
    bool hasLength = false;  ///< came with content-length
    bool streamed = false;   ///< the body comes in parts: Parser::nextPart

    /// The first header of that name (STOMP 1.2, "Repeated Header Entries"); nullptr where there is
    /// none.
    const std::string_view* find(std::string_view header) const {
        for (const Header& h : headers) {
            if (h.name == header) return &h.value;
        }
        return nullptr;
    }
    std::string_view get(std::string_view header, std::string_view fallback = {}) const {
        const auto* value = find(header);
        return value ? *value : fallback;
    }
    Buffer takeBody() { return gathered.empty() ? Buffer::copyOf(body) : std::move(gathered); }
};

}  // namespace busbar::stomp
