#include "bus/selector/lexer.h"

#include "bus/selector/identifier.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace busbar::selector {
namespace {

struct Reserved {
    std::string_view text;
    Word word;
};
constexpr Reserved kReserved[] = {
    {"AND", Word::andWord},     {"BETWEEN", Word::betweenWord}, {"ESCAPE", Word::escapeWord},
    {"FALSE", Word::falseWord}, {"IN", Word::inWord},           {"IS", Word::isWord},
    {"LIKE", Word::likeWord},   {"NOT", Word::notWord},         {"NULL", Word::nullWord},
    {"OR", Word::orWord},       {"TRUE", Word::trueWord},
};
constexpr Reserved kSymbols[] = {
    // longer ones first
    {"<>", Word::unequal},        {"!=", Word::unequal}, {"<=", Word::lessOrEqual},
    {">=", Word::greaterOrEqual}, {"<", Word::less},     {">", Word::greater},
    {"=", Word::equal},           {"(", Word::opening},  {")", Word::closing},
    {",", Word::comma},           {"+", Word::plus},     {"-", Word::minus},
    {"*", Word::times},           {"/", Word::divide},
};

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
bool isDigit(char c) {
    return c >= '0' && c <= '9';
}
bool isHexDigit(char c) {
    return isDigit(c) || (upper(c) >= 'A' && upper(c) <= 'F');
}
bool isBlank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

Word reserved(std::string_view name) {
    const auto same = [name](const Reserved& r) {
        return std::equal(name.begin(), name.end(), r.text.begin(), r.text.end(),
                          [](char a, char b) { return upper(a) == b; });
    };
    const auto at = std::find_if(std::begin(kReserved), std::end(kReserved), same);
    return at == std::end(kReserved) ? Word::name : at->word;
}

/// Up to 20 characters before and after the byte `at`, with dots where more is left out.
std::string excerpt(std::string_view text, std::size_t at) {
    constexpr std::size_t kAround = 20;
    std::size_t from = at;
    for (std::size_t n = 0; from > 0 && n < kAround; ++n) {
        do --from;
        while (from > 0 && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80);
    }
    std::size_t to = at;
    for (std::size_t n = 0; to < text.size() && n < kAround; ++n)
        to += std::max<std::size_t>(characterAt(text, to).size, 1);
    std::string out = from > 0 ? "..." : "";
    for (const char c : text.substr(from, to - from))
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    return out + (to < text.size() ? "..." : "");
}

}  // namespace

Error Lexer::error(std::size_t at, std::string_view what) const {
    std::string text = "selector, column ";
    text += std::to_string(characterCount(text_.substr(0, at)) + 1);
    text += ": ";
    text += what;
    text += ", in: ";
    text += excerpt(text_, at);
    return {ErrorCode::invalidArgument, std::move(text)};
}

Token Lexer::bad(std::size_t at, std::string_view what) {
    error_ = error(at, what);
    return make(Word::bad, at);
}

Token Lexer::make(Word word, std::size_t start) const {
    Token token;
    token.word = word;
    token.at = start;
    token.size = at_ - start;
    return token;
}

Token Lexer::next() {
    while (at_ < text_.size() && isBlank(text_[at_])) ++at_;
    const std::size_t start = at_;
    if (at_ == text_.size()) return make(Word::end, start);
    const char c = peek();
    if (c == '\'' || c == '"') return quoted(start, c);
    if (isDigit(c) || (c == '.' && isDigit(peek(1)))) return number(start);
    if (startsIdentifier(characterAt(text_, at_).code)) return name(start);
    return symbol(start);
}

bool Lexer::continuesName(std::size_t at) const {
    if (at >= text_.size()) return false;
    if (text_[at] == '-') return hyphens_;
    if (text_[at] == '.')
        return at + 1 < text_.size() && startsIdentifier(characterAt(text_, at + 1).code);
    return continuesIdentifier(characterAt(text_, at).code);
}

Token Lexer::name(std::size_t start) {
    while (continuesName(at_)) at_ += characterAt(text_, at_).size;
    const std::string_view text = text_.substr(start, at_ - start);
    Token token = make(reserved(text), start);
    if (token.word == Word::name) token.text = text;
    return token;
}

Token Lexer::quoted(std::size_t start, char quote) {
    std::string text;
    for (++at_;; ++at_) {
        const std::size_t end = text_.find(quote, at_);
        if (end == std::string_view::npos) {
            return bad(start, quote == '"' ? "a name without its closing double quote"
                                           : "a string without its closing quote");
        }
        text += text_.substr(at_, end - at_);
        at_ = end + 1;
        if (peek() != quote) break;
        text += quote;
    }
    if (quote == '"' && text.empty()) return bad(start, "a name without a character");
    Token token = make(quote == '"' ? Word::name : Word::text, start);
    token.text = std::move(text);
    return token;
}

Token Lexer::number(std::size_t start) {
    if (peek() == '0' && upper(peek(1)) == 'X') {
        at_ += 2;
        while (isHexDigit(peek())) ++at_;
        return integer(start, text_.substr(start + 2, at_ - start - 2), 16);
    }
    const auto digits = [this] {
        while (isDigit(peek())) ++at_;
    };
    digits();
    bool exact = true;
    if (peek() == '.') {
        exact = false;
        ++at_;
        digits();
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (upper(peek()) == 'E' && isDigit(peek(1 + sign))) {
        exact = false;
        at_ += 1 + sign;
        digits();
    }
    const std::string_view written = text_.substr(start, at_ - start);
    const char suffix = upper(peek());
    if (!exact || suffix == 'F' || suffix == 'D') return approximate(start, written, suffix);
    return integer(start, written, written.size() > 1 && written[0] == '0' ? 8 : 10);
}

Token Lexer::integer(std::size_t start, std::string_view digits, int base) {
    if (upper(peek()) == 'L') ++at_;
    Token token = make(Word::exact, start);
    const char* const end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, token.exact, base);
    if (digits.empty()) return bad(start, "a hexadecimal number without a digit");
    if (read.ec == std::errc() && read.ptr != end)
        return bad(start, "an octal number (it begins with 0) with another digit than 0 to 7");
    constexpr std::uint64_t kMost = std::uint64_t{1} << 63;
    if (read.ec != std::errc() || token.exact > kMost)
        return bad(start, "a number that does not fit into 64 bits");
    return token;
}

Token Lexer::approximate(std::size_t start, std::string_view digits, char suffix) {
    if (suffix == 'F' || suffix == 'D') ++at_;
    Token token = make(Word::approximate, start);
    const char* const end = digits.data() + digits.size();
    std::errc outcome{};
    if (suffix == 'F') {
        float value = 0;
        outcome = std::from_chars(digits.data(), end, value).ec;
        token.approximate = static_cast<double>(value);
    } else {
        outcome = std::from_chars(digits.data(), end, token.approximate).ec;
    }
    if (outcome != std::errc()) return bad(start, "a number too large or too small for its type");
    return token;
}

Token Lexer::symbol(std::size_t start) {
    const std::string_view rest = text_.substr(start);
    for (const Reserved& s : kSymbols) {
        if (!rest.starts_with(s.text)) continue;
        at_ += s.text.size();
        return make(s.word, start);
    }
    const std::string_view character = rest.substr(0, characterAt(text_, start).size);
    if (static_cast<unsigned char>(character[0]) < 0x20)
        return bad(start, "a control character, which has no meaning here");
    return bad(start, "'" + std::string(character) + "' has no meaning here");
}

}  // namespace busbar::selector
