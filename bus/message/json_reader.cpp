#include "bus/message/json_reader.h"

#include "bus/base/base64.h"
#include "bus/base/utf8.h"
#include "bus/message/body.h"
#include "bus/message/json_tree.h"
#include "bus/message/value_text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <variant>

namespace busbar {
namespace {

using json::Items;
using json::Member;
using json::Members;
using json::Node;
using json::Number;

// A value in our spelling is an object with two values within: three nodes.
constexpr json::TreeLimits kBodyLimits{kJsonValuesMax, 3 * kJsonValuesMax + 1,
                                       2 * kBodyDepthMax + 2};

/// Nodes to values of a body. `path` is where we are, for errors.
class Reader {
  public:
    bool map(const Node& node, BodyMap& out, const std::string& path, int depth) {
        const auto* members = std::get_if<Members>(&node.data);
        if (!members) return fail(path, "an object is expected");
        if (depth > kBodyDepthMax) return tooDeep();
        for (const Member& member : *members) {
            if (!isUtf8(member.name)) return fail(path, "a name is not Unicode text");
            BodyEntry& entry = out.emplace_back();
            entry.name = member.name;
            if (!value(member.value, entry.value, pathTo(path, member.name), depth)) return false;
        }
        return true;
    }

    bool list(const Node& node, BodyList& out, const std::string& path, int depth) {
        const auto* items = std::get_if<Items>(&node.data);
        if (!items) return fail(path, "an array is expected");
        if (depth > kBodyDepthMax) return tooDeep();
        for (std::size_t i = 0; i < items->size(); ++i) {
            if (!value((*items)[i], out.emplace_back(), path + "[" + std::to_string(i) + "]",
                       depth))
                return false;
        }
        return true;
    }

    /// Without types: what each value is, is told from its looks.
    bool plainMap(const Node& node, BodyMap& out, int depth) {
        if (depth > kBodyDepthMax) return tooDeep();
        for (const Member& member : std::get<Members>(node.data)) {
            BodyEntry& entry = out.emplace_back();
            entry.name = member.name;
            if (!isUtf8(member.name)) return fail({}, "a name is not Unicode text");
            if (!plain(member.value, entry.value, depth)) return false;
        }
        return true;
    }

    /// One of ActiveMQ's: {"string":["name","Ann"]} or {"string":"age","int":31}.
    bool entry(const Node& node, BodyEntry& out) {
        static const std::string kWanted =
            R"(an entry such as {"string":["name","Ann"]} or {"string":"age","int":31})";
        const auto* members = std::get_if<Members>(&node.data);
        if (!members || members->empty()) return fail("entry", kWanted + " is expected");
        const Member& first = members->front();
        if (first.name != "string") return fail("entry", kWanted + " is expected");
        if (const auto* both = std::get_if<Items>(&first.value.data)) {
            const auto* name =
                both->size() == 2 ? std::get_if<std::string>(&(*both)[0].data) : nullptr;
            if (!name || members->size() != 1) return fail("entry", kWanted + " is expected");
            out.name = *name;
            return typed("string", (*both)[1], out.value, out.name, 1);
        }
        const auto* name = std::get_if<std::string>(&first.value.data);
        if (!name || members->size() > 2) return fail("entry", kWanted + " is expected");
        out.name = *name;
        if (members->size() == 1) return true;  // {"string":"name"}: null
        const std::string_view type = members->back().name;
        return typed(type == "byte-array" ? "bytes" : type, members->back().value, out.value,
                     out.name, 1);
    }

    /// {"type":"int","value":3}
    bool value(const Node& node, BodyValue& out, const std::string& path, int depth) {
        const auto* members = std::get_if<Members>(&node.data);
        const Node* type = nullptr;
        const Node* content = nullptr;
        if (members && members->size() == 2) {
            for (const Member& member : *members) {
                if (member.name == "type") type = &member.value;
                if (member.name == "value") content = &member.value;
            }
        }
        const auto* name = type ? std::get_if<std::string>(&type->data) : nullptr;
        if (!name || !content)
            return fail(path, R"(a value such as {"type":"int","value":3} is expected)");
        return typed(*name, *content, out, path, depth);
    }

    /// Without its type.
    bool plain(const Node& node, BodyValue& out, int depth) {
        if (++values_ > kJsonValuesMax) {
            error_ = Error{ErrorCode::tooLarge,
                           "more than " + std::to_string(kJsonValuesMax) + " values"};
            return false;
        }
        if (const auto* items = std::get_if<Items>(&node.data)) {
            auto& list = out.data.emplace<BodyList>();
            if (depth + 1 > kBodyDepthMax) return tooDeep();
            return std::all_of(items->begin(), items->end(), [&](const Node& item) {
                return plain(item, list.emplace_back(), depth + 1);
            });
        }
        if (std::holds_alternative<Members>(node.data))
            return plainMap(node, out.data.emplace<BodyMap>(), depth + 1);
        auto& scalar = out.data.emplace<Value>();
        if (const bool* flag = std::get_if<bool>(&node.data)) {
            scalar = *flag;
        } else if (const auto* text = std::get_if<std::string>(&node.data)) {
            return readText("string", *text, scalar, {});
        } else if (const auto* number = std::get_if<Number>(&node.data)) {
            return plainNumber(*number, scalar);
        }
        return true;
    }

    Error error() const { return *error_; }

  private:
    static std::string pathTo(const std::string& path, const std::string& name) {
        return path + (path.empty() ? "" : ".") + showable(name.substr(0, 60));
    }

    bool typed(std::string_view type, const Node& node, BodyValue& out, const std::string& path,
               int depth) {
        if (++values_ > kJsonValuesMax) {
            error_ = Error{ErrorCode::tooLarge,
                           "more than " + std::to_string(kJsonValuesMax) + " values"};
            return false;
        }
        if (type == "list") return list(node, out.data.emplace<BodyList>(), path, depth + 1);
        if (type == "map") return map(node, out.data.emplace<BodyMap>(), path, depth + 1);
        auto& scalar = out.data.emplace<Value>();
        if (type == "null" && std::holds_alternative<std::monostate>(node.data)) return true;
        if (const bool* flag = std::get_if<bool>(&node.data); flag && type == "boolean") {
            scalar = *flag;
            return true;
        }
        const auto* text = std::get_if<std::string>(&node.data);
        if (type == "bytes" && text) {
            auto bytes = fromBase64(*text);
            if (!bytes) return fail(path, "base64 is expected for the type bytes");
            scalar = Bytes{std::move(*bytes)};
            return true;
        }
        if (text && (type == "string" || type == "char"))
            return readText(type, *text, scalar, path);
        const auto* number = std::get_if<Number>(&node.data);
        const bool isNumber = type == "byte" || type == "short" || type == "int" ||
                              type == "long" || type == "float" || type == "double";
        if (isNumber && (number || text)) {
            auto read = valueFromText(type, number ? number->text : *text);
            if (!read) return fail(path, read.error().text);
            scalar = std::move(*read);
            return true;
        }
        return fail(path, isValueType(type)
                              ? "the value is not one of the type " + std::string(type)
                              : "the type '" + showable(type.substr(0, 40)) + "' is not known: " +
                                    std::string(kValueTypes) + ", list or map is expected");
    }

    bool readText(std::string_view type, const std::string& text, Value& out,
                  const std::string& path) {
        if (type == "string") {
            if (!isUtf8(text)) return fail(path, "half of a surrogate pair is no text");
            out = text;
            return true;
        }
        auto unit = valueFromText("char", text);
        if (!unit) return fail(path, unit.error().text);
        out = std::move(*unit);
        return true;
    }

    /// The smallest of int and long that holds it; beyond them, and with a fraction, a double.
    bool plainNumber(const Number& number, Value& out) {
        for (const auto* type : {"int", "long"}) {
            auto whole = number.whole ? valueFromText(type, number.text) : Result<Value>(Error{});
            if (!whole) continue;
            out = std::move(*whole);
            return true;
        }
        auto real = valueFromText("double", number.text);
        if (!real) return fail({}, real.error().text);
        out = std::move(*real);
        return true;
    }

    bool tooDeep() {
        error_ = Error{ErrorCode::tooLarge, "more than " + std::to_string(kBodyDepthMax) +
                                                " lists and maps within each other"};
        return false;
    }
    bool fail(const std::string& path, const std::string& expected) {
        if (!error_) {
            error_ = Error{ErrorCode::invalidArgument,
                           (path.empty() ? "" : "'" + path.substr(0, 200) + "': ") + expected};
        }
        return false;
    }

    std::size_t values_ = 0;
    std::optional<Error> error_;
};

/// The member of an object that has no other one; nullptr else.
const Node* onlyMember(const Node& node, std::string_view name) {
    const auto* members = std::get_if<Members>(&node.data);
    if (!members || members->size() != 1 || members->front().name != name) return nullptr;
    return &members->front().value;
}

}  // namespace

Result<std::string> bodyFromJson(BodyKind kind, const json::Node& json) {
    Reader reader;
    std::string out;
    if (kind == BodyKind::map) {
        BodyMap map;
        if (!reader.map(json, map, {}, 1)) return reader.error();
        encodeMapBody(map, out);
    } else {
        BodyList list;
        if (!reader.list(json, list, {}, 1)) return reader.error();
        encodeStreamBody(list, out);
    }
    return out;
}

Result<std::string> bodyFromJson(BodyKind kind, std::string_view json) {
    auto root = json::parse(json, kBodyLimits);
    if (!root) return root.error();
    return bodyFromJson(kind, *root);
}

Result<Value> valueFromJson(const json::Node& json) {
    Reader reader;
    BodyValue value;
    const bool typed = std::holds_alternative<Members>(json.data);
    const bool read = typed ? reader.value(json, value, {}, kBodyDepthMax)
                            : reader.plain(json, value, kBodyDepthMax);
    if (!read && reader.error().code != ErrorCode::tooLarge) return reader.error();
    if (!read) return {ErrorCode::invalidArgument, "a single value is expected, no list or map"};
    return std::get<Value>(std::move(value.data));
}

Result<std::string> mapBodyFromMapJson(std::string_view json) {
    auto root = json::parse(json, kBodyLimits);
    if (!root) return root.error();
    if (!std::holds_alternative<Members>(root->data)) {
        return {ErrorCode::invalidArgument, "an object is expected as a map"};
    }
    Reader reader;
    BodyMap map;
    const Node* inner = onlyMember(*root, "map");
    const Node* entries = inner ? onlyMember(*inner, "entry") : nullptr;
    if (!entries) {
        if (!reader.plainMap(*root, map, 1)) return reader.error();
    } else if (const auto* items = std::get_if<Items>(&entries->data)) {
        for (const Node& item : *items) {
            if (!reader.entry(item, map.emplace_back())) return reader.error();
        }
    } else if (!reader.entry(*entries, map.emplace_back())) {
        return reader.error();
    }
    std::string out;
    encodeMapBody(map, out);
    return out;
}

}  // namespace busbar
