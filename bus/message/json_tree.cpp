#include "bus/message/json_tree.h"

#include "bus/base/utf8.h"
#include "bus/message/body.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace busbar::json {
namespace {

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
    Parser(std::string_view text, TreeLimits limits) : text_(text), limits_(limits) {}

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
        if (++nodes_ > limits_.nodes) {
            error_ = Error{ErrorCode::tooLarge,
                           "JSON: more than " + std::to_string(limits_.values) + " values"};
            return false;
        }
        if (depth > limits_.depth) {
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

    const std::string_view text_;
    const TreeLimits limits_;
    std::size_t at_ = 0;
    std::size_t nodes_ = 0;
    std::optional<Error> error_;
};

}  // namespace

Result<Node> parse(std::string_view text, const TreeLimits& limits) {
    return Parser(text, limits).document();
}

const Node* Node::member(std::string_view name) const {
    const auto* members = std::get_if<Members>(&data);
    if (!members) return nullptr;
    const auto at = std::find_if(members->begin(), members->end(),
                                 [&](const Member& m) { return m.name == name; });
    return at == members->end() ? nullptr : &at->value;
}

}  // namespace busbar::json
