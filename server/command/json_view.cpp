#include "server/command/json_view.h"

#include <charconv>

namespace busbar::command {
namespace {

void appendUtf8(std::string& out, std::uint32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
        return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
    out += static_cast<char>(kLead[more] | (code >> (6 * more)));
    for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
}

std::uint32_t hex4(std::string_view text) {
    std::uint32_t code = 0xFFFD;
    if (text.size() >= 4) std::from_chars(text.data(), text.data() + 4, code, 16);
    return code;
}

/// `quoted` is what stands between the quotes.
std::string unescaped(std::string_view quoted) {
    static constexpr std::string_view kNames = "bfnrt", kValues = "\b\f\n\r\t";
    std::string out;
    for (std::size_t i = 0; i < quoted.size(); ++i) {
        if (quoted[i] != '\\' || i + 1 == quoted.size()) {
            out += quoted[i];
            continue;
        }
        const char c = quoted[++i];
        if (c != 'u') {
            const auto at = kNames.find(c);
            out += at == kNames.npos ? c : kValues[at];
            continue;
        }
        std::uint32_t code = hex4(quoted.substr(i + 1));
        i += 4;
        if (code >= 0xD800 && code < 0xDC00 &&
            quoted.substr(std::min(i + 1, quoted.size()), 2) == "\\u") {
            const std::uint32_t low = hex4(quoted.substr(i + 3));
            code = 0x10000 + ((code - 0xD800) << 10) + ((low - 0xDC00) & 0x3FF);
            i += 6;
        }
        appendUtf8(out, code);
    }
    return out;
}

}  // namespace

/// RFC 8259, one function a production.
class JsonView::Reader {
  public:
    explicit Reader(std::shared_ptr<const std::string> document)
        : document_(std::move(document)), text_(*document_) {}

    Result<JsonView> document() {
        JsonView value = this->value(0);
        space();
        if (wrong_ || at_ != text_.size()) {
            return {ErrorCode::malformed, "this is not JSON, at byte " + std::to_string(at_)};
        }
        return value;
    }

  private:
    JsonView value(int depth) {
        space();
        JsonView out;
        out.document_ = document_;
        const std::size_t start = at_;
        const char c = peek();
        if (depth > 64)
            wrong_ = true;
        else if (c == '{')
            object(out, depth);
        else if (c == '[')
            array(out, depth);
        else if (c == '"')
            string();
        else
            scalar();
        out.raw_ = text_.substr(start, at_ - start);
        return out;
    }

    void object(JsonView& out, int depth) {
        ++at_;
        space();
        if (accept('}')) return;
        do {
            space();
            const std::size_t start = at_;
            string();
            if (wrong_) return;
            auto name = unescaped(text_.substr(start + 1, at_ - start - 2));
            space();
            if (!accept(':')) wrong_ = true;
            if (wrong_) return;
            out.members_.emplace_back(std::move(name), value(depth + 1));
            space();
        } while (!wrong_ && accept(','));
        if (!accept('}')) wrong_ = true;
    }

    void array(JsonView& out, int depth) {
        ++at_;
        space();
        if (accept(']')) return;
        do {
            out.elements_.push_back(value(depth + 1));
            space();
        } while (!wrong_ && accept(','));
        if (!accept(']')) wrong_ = true;
    }

    void string() {
        if (!accept('"')) {
            wrong_ = true;
            return;
        }
        while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
        at_ = std::min(at_, text_.size());
        if (!accept('"')) wrong_ = true;
    }

    void scalar() {
        static constexpr std::string_view kOf = "+-.0123456789Eaeflnrstu";
        const std::size_t start = at_;
        while (at_ < text_.size() && kOf.find(text_[at_]) != kOf.npos) ++at_;
        const auto word = text_.substr(start, at_ - start);
        const bool number = !word.empty() && (word[0] == '-' || (word[0] >= '0' && word[0] <= '9'));
        if (!number && word != "true" && word != "false" && word != "null") wrong_ = true;
    }

    void space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos)
            ++at_;
    }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool accept(char c) {
        if (peek() != c || at_ >= text_.size()) return false;
        ++at_;
        return true;
    }

    std::shared_ptr<const std::string> document_;
    std::string_view text_;
    std::size_t at_ = 0;
    bool wrong_ = false;
};

Result<JsonView> JsonView::parse(std::string text) {
    return Reader(std::make_shared<const std::string>(std::move(text))).document();
}

std::string JsonView::text() const {
    if (raw_.empty() || isNull() || raw_[0] == '{' || raw_[0] == '[') return {};
    return raw_[0] == '"' ? unescaped(raw_.substr(1, raw_.size() - 2)) : std::string(raw_);
}

std::uint64_t JsonView::number() const {
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(raw_.data(), raw_.data() + raw_.size(), value);
    return code == std::errc{} && end == raw_.data() + raw_.size() ? value : 0;
}

const JsonView& JsonView::operator[](std::string_view name) const {
    static const JsonView kNull;
    for (const auto& [key, value] : members_) {
        if (key == name) return value;
    }
    return kNull;
}

}  // namespace busbar::command
