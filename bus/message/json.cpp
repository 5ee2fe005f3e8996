#include "bus/message/json.h"

#include "bus/base/base64.h"
#include "bus/base/utf8.h"
#include "bus/message/body.h"

#include <array>
#include <charconv>
#include <cmath>

namespace busbar {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

void appendEscaped(std::string& out, char16_t unit) {
    out += "\\u";
    for (const int shift : {12, 8, 4, 0}) out += kDigits[(unit >> shift) & 15];
}

std::string_view typeName(const Value& value) {
    static constexpr std::array<std::string_view, 11> kNames{"null",   "boolean", "byte",  "short",
                                                             "int",    "long",    "float", "double",
                                                             "string", "bytes",   "char"};
    static_assert(std::variant_size_v<Value> == kNames.size());
    const auto* text = std::get_if<std::string>(&value);
    return text && !isUtf8(*text) ? "bytes" : kNames[value.index()];
}

template <class Number>
void appendNumber(std::string& out, Number number) {
    char text[64];
    out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

/// "-0" is a whole number to many readers, which have no negative zero then.
template <class Real>
void appendReal(std::string& out, Real value) {
    if (std::isnan(value))
        out += "\"NaN\"";
    else if (std::isinf(value))
        out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    else if (value == 0 && std::signbit(value))
        out += "-0.0";
    else
        appendNumber(out, value);
}

struct Writer {
    std::string& out;

    void operator()(std::monostate) const { out += "null"; }
    void operator()(bool value) const { out += value ? "true" : "false"; }
    void operator()(std::int8_t value) const { appendNumber(out, static_cast<int>(value)); }
    void operator()(std::int16_t value) const { appendNumber(out, value); }
    void operator()(std::int32_t value) const { appendNumber(out, value); }
    void operator()(std::int64_t value) const { appendNumber(out, value); }
    void operator()(float value) const { appendReal(out, value); }
    void operator()(double value) const { appendReal(out, value); }
    void operator()(const Bytes& value) const { appendJsonString(out, base64(value.data)); }
    void operator()(const std::string& value) const {
        appendJsonString(out, isUtf8(value) ? value : base64(value));
    }
    /// Half of a surrogate pair is a char too.
    void operator()(char16_t value) const {
        out += '"';
        appendEscaped(out, value);
        out += '"';
    }
};

void append(std::string& out, const BodyValue& value);

void append(std::string& out, const BodyList& list) {
    out += '[';
    for (const BodyValue& value : list) {
        if (out.back() != '[') out += ',';
        append(out, value);
    }
    out += ']';
}

void append(std::string& out, const BodyMap& map) {
    out += '{';
    for (const auto& [name, value] : map) {
        if (out.back() != '{') out += ',';
        appendJsonString(out, name);
        out += ':';
        append(out, value);
    }
    out += '}';
}

void append(std::string& out, const BodyValue& value) {
    if (const auto* scalar = std::get_if<Value>(&value.data)) return appendJson(out, *scalar);
    const auto* list = std::get_if<BodyList>(&value.data);
    out += list ? R"({"type":"list","value":)" : R"({"type":"map","value":)";
    if (list)
        append(out, *list);
    else
        append(out, std::get<BodyMap>(value.data));
    out += '}';
}

}  // namespace

void appendJsonString(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            appendEscaped(out, byte);
            continue;
        }
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

void appendJson(std::string& out, const Value& value) {
    out.append(R"({"type":")").append(typeName(value)).append(R"(","value":)");
    std::visit(Writer{out}, value);
    out += '}';
}

Result<std::string> jsonBody(const Message& message) {
    std::string out;
    if (message.bodyKind == BodyKind::map) {
        const auto map = decodeMapBody(message.body.view());
        if (!map) return map.error();
        append(out, *map);
    } else {
        const auto list = decodeStreamBody(message.body.view());
        if (!list) return list.error();
        append(out, *list);
    }
    return out;
}

}  // namespace busbar
