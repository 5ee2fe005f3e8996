#include "bus/message/value_text.h"

#include "bus/base/utf8.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace busbar {
namespace {

/// By index in Value.
constexpr std::array<std::string_view, 11> kNames{"null",   "boolean", "byte",  "short",
                                                  "int",    "long",    "float", "double",
                                                  "string", "bytes",   "char"};
static_assert(std::variant_size_v<Value> == kNames.size());

constexpr std::string_view kEncoded = "%,= ";
constexpr std::string_view kHex = "0123456789ABCDEF";

Error notOne(std::string_view type, std::string_view text) {
    return {ErrorCode::invalidArgument, "'" + showable(text.substr(0, 60)) +
                                            "' is not a value of the type " + std::string(type)};
}

template <class Number>
Result<Value> number(std::string_view type, std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return notOne(type, text);
    return Value(value);
}

/// JSON's spelling and Java's, beside that of toText.
template <class Real>
Result<Value> real(std::string_view type, std::string_view text) {
    if (text == "NaN") text = "nan";
    if (text == "Infinity") text = "inf";
    if (text == "-Infinity") text = "-inf";
    return number<Real>(type, text);
}

std::optional<int> digit(char c) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
    const auto at = kHex.find(c);
    if (at == kHex.npos) return std::nullopt;
    return static_cast<int>(at);
}

Result<Value> bytes(std::string_view text) {
    Bytes out;
    if (text.size() % 2 != 0) return notOne("bytes (in hex)", text);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const auto high = digit(text[i]);
        const auto low = digit(text[i + 1]);
        if (!high || !low) return notOne("bytes (in hex)", text);
        out.data += static_cast<char>(*high * 16 + *low);
    }
    return Value(std::move(out));
}

/// One unit of UTF-16, half of a surrogate pair too: the bytes that toText writes for it.
Result<Value> unit(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
    unsigned code = 0;
    bool good = false;
    if (text.size() == 1) {
        code = byte(0);
        good = code < 0x80;
    } else if (text.size() == 2) {
        code = ((byte(0) & 0x1fu) << 6) | (byte(1) & 0x3fu);
        good = (byte(0) & 0xe0) == 0xc0 && tail(1) && code >= 0x80;
    } else if (text.size() == 3) {
        code = ((byte(0) & 0xfu) << 12) | ((byte(1) & 0x3fu) << 6) | (byte(2) & 0x3fu);
        good = (byte(0) & 0xf0) == 0xe0 && tail(1) && tail(2) && code >= 0x800;
    }
    if (!good) return notOne("char (one character up to U+FFFF)", text);
    return Value(static_cast<char16_t>(code));
}

std::string encodeName(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (kEncoded.find(c) == kEncoded.npos) {
            out += c;
            continue;
        }
        out += '%';
        out += kHex[static_cast<unsigned char>(c) >> 4];
        out += kHex[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

std::optional<std::string> decodeName(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const auto high = digit(text[i + 1]);
        const auto low = digit(text[i + 2]);
        if (!high || !low) return std::nullopt;
        out += static_cast<char>(*high * 16 + *low);
        i += 2;
    }
    return out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

Result<void> applyType(std::string_view part, Properties& properties) {
    const auto equals = part.find('=');
    const auto name =
        equals == part.npos ? std::nullopt : decodeName(trimmed(part.substr(0, equals)));
    if (!name) {
        return {ErrorCode::invalidArgument,
                "'" + showable(part.substr(0, 60)) +
                    "': NAME=TYPE is expected, with commas between them"};
    }
    const auto type = trimmed(part.substr(equals + 1));
    const Value* value = properties.find(*name);
    const auto* text = value ? std::get_if<std::string>(value) : nullptr;
    const std::string shown = "property '" + showable(name->substr(0, 60)) + "'";
    if (!text) {
        return {ErrorCode::invalidArgument,
                shown + (value ? " has two types" : " has a type, but is not there")};
    }
    if (!isValueType(type)) {
        return {ErrorCode::invalidArgument, shown + ": the type '" + showable(type.substr(0, 40)) +
                                                "' is not known: " + std::string(kValueTypes) +
                                                " is expected"};
    }
    auto typed = valueFromText(type, *text);
    if (!typed) return {typed.error().code, shown + ": " + typed.error().text};
    properties.set(*name, std::move(*typed));
    return {};
}

}  // namespace

bool isValueType(std::string_view type) {
    return std::find(kNames.begin(), kNames.end(), type) != kNames.end();
}

std::string_view typeOf(const Value& value) {
    return kNames[value.index()];
}

Result<Value> valueFromText(std::string_view type, std::string_view text) {
    if (type == "string") return Value(std::string(text));
    if (type == "int") return number<std::int32_t>(type, text);
    if (type == "long") return number<std::int64_t>(type, text);
    if (type == "double") return real<double>(type, text);
    if (type == "float") return real<float>(type, text);
    if (type == "short") return number<std::int16_t>(type, text);
    if (type == "byte") return number<std::int8_t>(type, text);
    if (type == "boolean") {
        if (text != "true" && text != "false") return notOne("boolean (true or false)", text);
        return Value(text == "true");
    }
    if (type == "bytes") return bytes(text);
    if (type == "char") return unit(text);
    if (type == "null" && text.empty()) return Value();
    return notOne(type == "null" ? "null (an empty text)" : type, text);
}

std::string typesOf(const Properties& properties) {
    std::string out;
    for (const auto& [name, value] : properties) {
        if (std::holds_alternative<std::string>(value)) continue;
        if (!out.empty()) out += ',';
        out.append(encodeName(name)).append("=").append(typeOf(value));
    }
    return out;
}

Result<void> applyTypes(std::string_view types, Properties& properties) {
    while (!trimmed(types).empty()) {
        const auto comma = std::min(types.find(','), types.size());
        if (auto applied = applyType(trimmed(types.substr(0, comma)), properties); !applied)
            return applied;
        types.remove_prefix(std::min(comma + 1, types.size()));
    }
    return {};
}

}  // namespace busbar
