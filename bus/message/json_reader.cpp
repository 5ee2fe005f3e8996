#include "bus/message/json_reader.h"

#include "bus/base/base64.h"
#include "bus/base/utf8.h"
#include "bus/message/body.h"
#include "bus/message/value_text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <variant>

namespace busbar {
namespace {

// A value in our spelling is an object with two values within: three nodes.
constexpr std::size_t kNodesMax = 3 * kJsonValuesMax + 1;
constexpr int kNodeDepthMax = 2 * kBodyDepthMax + 2;

struct Node;
struct Member;
using Items = std::vector<Node>;
using Members = std::vector<Member>;

/// A number keeps its digits until its type is known.
struct Number {
    std::string text;
    bool whole = false;
};

struct Node {
    std::variant<std::monostate, bool, Number, std::string, Items, Members> data;
};

struct Member {
    std::string name;
    Node value;
};

void appendUnit(std::string& out, std::uint32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | (code >> 6));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | (code >> 12));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

bool isHigh(std::uint32_t unit) {
    return unit >= 0xd800 && unit < 0xdc00;
}
bool isLow(std::uint32_t unit) {
    return unit >= 0xdc00 && unit < 0xe000;
}

/// RFC 8259, one function a production. Half of a surrogate pair that stands alone is kept as the
/// three bytes that UTF-8 would have for it, for values of type char; as text it is not UTF-8.
class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<Node> document() {
        Node root;
        if (!isUtf8(text_)) return {ErrorCode::malformed, "JSON: not UTF-8"};
        if (!value(root, 1)) return *error_;
        space();
        if (at_ < text_.size()) {
            fail("nothing is expected behind the value");
            return *error_;
        }
        return root;
    }

  private:
    bool value(Node& node, int depth) {
        if (++nodes_ > kNodesMax) {
            error_ = Error{ErrorCode::tooLarge,
                           "JSON: more than " + std::to_string(kJsonValuesMax) + " values"};
            return false;
        }
        if (depth > kNodeDepthMax) {
            error_ = Error{ErrorCode::tooLarge, "JSON: more than " + std::to_string(kBodyDepthMax) +
                                                    " lists and maps within each other"};
            return false;
        }
        space();
        switch (peek()) {
            case '{':
                return object(node.data.emplace<Members>(), depth);
            case '[':
                return array(node.data.emplace<Items>(), depth);
            case '"':
                return string(node.data.emplace<std::string>());
            case 't':
                node.data = true;
                return word("true");
            case 'f':
                node.data = false;
                return word("false");
            case 'n':
                return word("null");
            default:
                return number(node.data.emplace<Number>());
        }
    }

    bool object(Members& members, int depth) {
        ++at_;
        space();
        if (take('}')) return true;
        while (true) {
            space();
            if (peek() != '"') return fail("a name in quotes is expected");
            Member& member = members.emplace_back();
            if (!string(member.name)) return false;
            space();
            if (!take(':')) return fail("':' is expected");
            if (!value(member.value, depth + 1)) return false;
            space();
            if (take('}')) break;
            if (!take(',')) return fail("',' or '}' is expected");
        }
        std::set<std::string_view> names;
        for (const Member& member : members) {
            if (!names.insert(member.name).second) {
                return fail("the name '" + showable(member.name.substr(0, 60)) +
                            "' is there twice");
            }
        }
        return true;
    }

    bool array(Items& items, int depth) {
        ++at_;
        space();
        if (take(']')) return true;
        while (true) {
            if (!value(items.emplace_back(), depth + 1)) return false;
            space();
            if (take(']')) return true;
            if (!take(',')) return fail("',' or ']' is expected");
        }
    }

    bool string(std::string& out) {
        ++at_;
        while (true) {
            const std::size_t end = std::min(text_.find_first_of("\"\\", at_), text_.size());
            const auto plain = text_.substr(at_, end - at_);
            for (const char c : plain) {
                if (static_cast<unsigned char>(c) < 0x20)
                    return fail("control characters are written \\u00XX within strings");
            }
            out += plain;
            at_ = end;
            if (at_ == text_.size()) return fail("the string has no end");
            if (take('"')) return true;
            ++at_;
            if (!escape(out)) return false;
        }
    }

    bool escape(std::string& out) {
        static constexpr std::string_view kCodes = "\"\\/bfnrt";
        static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        const char code = peek();
        const auto known = kCodes.find(code);
        if (at_ < text_.size() && known != kCodes.npos) {
            ++at_;
            out += kMeanings[known];
            return true;
        }
        std::uint32_t unit = 0;
        if (code != 'u' || !hex(unit)) return fail("an escape of JSON is expected behind '\\'");
        const std::size_t behind = at_;
        std::uint32_t low = 0;
        if (isHigh(unit) && text_.substr(at_, 2) == "\\u") {
            ++at_;
            if (hex(low) && isLow(low)) {
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            } else {
                at_ = behind;  // stands alone; what follows is looked at by itself
            }
        }
        appendUnit(out, unit);
        return true;
    }

    /// 'u' and four digits.
    bool hex(std::uint32_t& unit) {
        const auto digits = text_.substr(std::min(at_ + 1, text_.size()), 4);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
        if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) return false;
        at_ += 5;
        return true;
    }

    bool number(Number& out) {
        const std::size_t begin = at_;
        (void)take('-');
        if (!take('0') && digits() == 0) return fail("a value is expected");
        out.whole = true;
        if (take('.')) {
            out.whole = false;
            if (digits() == 0) return fail("digits are expected behind '.'");
        }
        if (peek() == 'e' || peek() == 'E') {
            out.whole = false;
            ++at_;
            if (!take('+')) (void)take('-');
            if (digits() == 0) return fail("digits are expected in the exponent");
        }
        out.text = text_.substr(begin, at_ - begin);
        return true;
    }

    std::size_t digits() {
        const std::size_t begin = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        return at_ - begin;
    }

    bool word(std::string_view expected) {
        if (text_.substr(at_, expected.size()) != expected) return fail("a value is expected");
        at_ += expected.size();
        return true;
    }

    void space() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
    }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char c) {
        if (peek() != c || at_ == text_.size()) return false;
        ++at_;
        return true;
    }
    bool fail(const std::string& expected) {
        if (!error_) {
            error_ = Error{ErrorCode::malformed,
                           "JSON, byte " + std::to_string(at_ + 1) + ": " + expected};
        }
        return false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t nodes_ = 0;
    std::optional<Error> error_;
};

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

    Error error() const { return *error_; }

  private:
    static std::string pathTo(const std::string& path, const std::string& name) {
        return path + (path.empty() ? "" : ".") + showable(name.substr(0, 60));
    }

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

Result<std::string> bodyFromJson(BodyKind kind, std::string_view json) {
    auto root = Parser(json).document();
    if (!root) return root.error();
    Reader reader;
    std::string out;
    if (kind == BodyKind::map) {
        BodyMap map;
        if (!reader.map(*root, map, {}, 1)) return reader.error();
        encodeMapBody(map, out);
    } else {
        BodyList list;
        if (!reader.list(*root, list, {}, 1)) return reader.error();
        encodeStreamBody(list, out);
    }
    return out;
}

Result<std::string> mapBodyFromMapJson(std::string_view json) {
    auto root = Parser(json).document();
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
