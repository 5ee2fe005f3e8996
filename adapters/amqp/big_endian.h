// Numbers as AMQP writes them: the highest byte first (AMQP 1.0 section 1.6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace busbar::amqp {

/// Of at most eight bytes.
inline std::uint64_t readBig(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

/// Appends the lowest `width` bytes of the value.
inline void putBig(std::string& out, std::uint64_t value, std::size_t width) {
    for (std::size_t i = width; i-- > 0;) out += static_cast<char>(value >> (8 * i));
}

}  // namespace busbar::amqp
