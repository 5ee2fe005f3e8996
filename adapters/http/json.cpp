#include "adapters/http/json.h"

#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <charconv>
#include <cmath>

namespace busbar::http {

void JsonWriter::comma() {
    if (!first_) out_ += ',';
    first_ = false;
}

JsonWriter& JsonWriter::open(char c) {
    comma();
    out_ += c;
    first_ = true;
    return *this;
}

JsonWriter& JsonWriter::close(char c) {
    out_ += c;
    first_ = false;
    return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
    comma();
    quote(name);
    out_ += ':';
    first_ = true;
    return *this;
}

JsonWriter& JsonWriter::string(std::string_view value) {
    comma();
    quote(value);
    return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t value) {
    comma();
    out_ += std::to_string(value);
    return *this;
}

JsonWriter& JsonWriter::signedNumber(std::int64_t value) {
    comma();
    out_ += std::to_string(value);
    return *this;
}

JsonWriter& JsonWriter::real(double value) {
    if (!std::isfinite(value)) return null();
    comma();
    char text[64];
    out_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
    return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
    comma();
    out_ += value ? "true" : "false";
    return *this;
}

JsonWriter& JsonWriter::null() {
    comma();
    out_ += "null";
    return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
    comma();
    out_ += json;
    return *this;
}

void JsonWriter::quote(std::string_view text) {
    static constexpr char kDigits[] = "0123456789abcdef";
    out_ += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '"':
                out_ += "\\\"";
                break;
            case '\\':
                out_ += "\\\\";
                break;
            case '\n':
                out_ += "\\n";
                break;
            case '\r':
                out_ += "\\r";
                break;
            case '\t':
                out_ += "\\t";
                break;
            default:
                if (byte >= 0x20 && byte != 0x7f) {
                    out_ += c;
                    break;
                }
                out_ += "\\u00";
                out_ += kDigits[byte >> 4];
                out_ += kDigits[byte & 15];
        }
    }
    out_ += '"';
}

namespace {

std::string textOf(const std::string& key, const Poco::Dynamic::Var& value, Result<void>& wrong) {
    if (value.isString() || value.isNumeric() || value.isBoolean())
        return value.convert<std::string>();
    wrong = {ErrorCode::malformed,
             "'" + key + "' must be a string, a number, a boolean or an array of these"};
    return {};
}

Result<FlatObject> flatten(const Poco::JSON::Object& object) {
    FlatObject out;
    Result<void> wrong;
    for (const auto& [key, value] : object) {
        std::string text;
        if (value.type() == typeid(Poco::JSON::Array::Ptr)) {
            for (const auto& item : *value.extract<Poco::JSON::Array::Ptr>())
                text += (text.empty() ? "" : " ") + textOf(key, item, wrong);
        } else {
            text = textOf(key, value, wrong);
        }
        if (!wrong) return wrong.error();
        out.emplace(key, std::move(text));
    }
    return out;
}

/// Poco's exceptions end here; their texts name Poco's classes.
template <class T, class Use>
Result<T> parsed(std::string_view json, std::size_t bytesMax, Use use) {
    if (json.size() > bytesMax) {
        return {ErrorCode::tooLarge,
                "the JSON body has more than " + std::to_string(bytesMax >> 10) + " KiB"};
    }
    if (!isUtf8(json)) return {ErrorCode::malformed, "the JSON body is not UTF-8"};
    try {
        Poco::JSON::Parser parser;
        parser.setDepth(8);
        return use(parser.parse(std::string(json)));
    } catch (const std::exception&) {
        return {ErrorCode::malformed, "the body is not JSON"};
    }
}

}  // namespace

Result<FlatObject> readFlatObject(std::string_view json) {
    return parsed<FlatObject>(
        json, 64u << 10, [](const Poco::Dynamic::Var& value) -> Result<FlatObject> {
            if (value.type() != typeid(Poco::JSON::Object::Ptr))
                return {ErrorCode::malformed, "the JSON body must be an object"};
            return flatten(*value.extract<Poco::JSON::Object::Ptr>());
        });
}

Result<std::vector<FlatObject>> readFlatObjects(std::string_view json, std::size_t countMax) {
    using List = std::vector<FlatObject>;
    return parsed<List>(json, 1u << 20, [&](const Poco::Dynamic::Var& value) -> Result<List> {
        if (value.type() != typeid(Poco::JSON::Array::Ptr))
            return {ErrorCode::malformed, "the JSON body must be an array of objects"};
        const auto& array = *value.extract<Poco::JSON::Array::Ptr>();
        if (array.size() > countMax) {
            return {ErrorCode::tooLarge,
                    "the array has more than " + std::to_string(countMax) + " elements"};
        }
        List out;
        for (const auto& item : array) {
            if (item.type() != typeid(Poco::JSON::Object::Ptr))
                return {ErrorCode::malformed, "the JSON body must be an array of objects"};
            auto object = flatten(*item.extract<Poco::JSON::Object::Ptr>());
            if (!object) return object.error();
            out.push_back(std::move(*object));
        }
        return out;
    });
}

}  // namespace busbar::http
