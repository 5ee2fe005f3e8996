#include "bus/message/value.h"

#include <algorithm>
#include <charconv>
#include <type_traits>

namespace busbar {
namespace {

template <class T>
std::string number(T value) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return std::string(text, end);
}

std::string hex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

std::string utf8(char16_t unit) {
    std::string out;
    if (unit < 0x80) {
        out += static_cast<char>(unit);
    } else if (unit < 0x800) {
        out += static_cast<char>(0xc0 | (unit >> 6));
        out += static_cast<char>(0x80 | (unit & 0x3f));
    } else {
        out += static_cast<char>(0xe0 | (unit >> 12));
        out += static_cast<char>(0x80 | ((unit >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (unit & 0x3f));
    }
    return out;
}

}  // namespace

std::string toText(const Value& value) {
    return std::visit(
        [](const auto& v) -> std::string {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, std::monostate>)
                return {};
            else if constexpr (std::is_same_v<T, bool>)
                return v ? "true" : "false";
            else if constexpr (std::is_same_v<T, std::string>)
                return v;
            else if constexpr (std::is_same_v<T, Bytes>)
                return hex(v.data);
            else if constexpr (std::is_same_v<T, char16_t>)
                return utf8(v);
            else if constexpr (std::is_same_v<T, std::int8_t>)
                return number(static_cast<int>(v));
            else
                return number(v);
        },
        value);
}

const Value* Properties::find(std::string_view name) const {
    const auto at = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& e) { return e.first == name; });
    return at == entries_.end() ? nullptr : &at->second;
}

void Properties::set(std::string_view name, Value value) {
    for (auto& entry : entries_) {
        if (entry.first == name) {
            entry.second = std::move(value);
            return;
        }
    }
    entries_.emplace_back(std::string(name), std::move(value));
}

bool Properties::erase(std::string_view name) {
    return std::erase_if(entries_, [&](const Entry& e) { return e.first == name; }) > 0;
}

}  // namespace busbar
