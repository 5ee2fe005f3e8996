// The words of a selector.
#pragma once

#include "bus/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace busbar::selector {

enum class Word : unsigned char {
    end,
    bad,  ///< see Lexer::error
    name,
    text,
    exact,
    approximate,
    opening,
    closing,
    comma,
    plus,
    minus,
    times,
    divide,
    equal,
    unequal,
    less,
    lessOrEqual,
    greater,
    greaterOrEqual,
    notWord,
    andWord,
    orWord,
    betweenWord,
    inWord,
    likeWord,
    escapeWord,
    isWord,
    nullWord,
    trueWord,
    falseWord,
};

struct Token {
    Word word = Word::end;
    std::size_t at = 0;    ///< its first byte
    std::size_t size = 0;  ///< bytes as written
    std::string text;      ///< of a name or string, without quotes and escapes
    /// Magnitude, at most 2^63: that is in range after a minus only.
    std::uint64_t exact = 0;
    double approximate = 0;
};

/// Cuts a selector, which is UTF-8, into words. JMS 2.0 section 3.8.1.1: reserved words in any
/// case; literals as in Java, with single quotes. Beyond it: `!=`, `"a name"` (a quote in it is
/// doubled), `.` between the parts of a name, and `-` within one where `hyphens` says so.
class Lexer {
  public:
    /// `text` must outlive the lexer; the words begin at byte `from`.
    Lexer(std::string_view text, std::size_t from, bool hyphens)
        : text_(text), at_(from), hyphens_(hyphens) {}

    /// The next word; `end` again and again after the last one. After `bad`, error() tells.
    Token next();

    /// An error about the place of byte `at`: column, what is wrong, and what stands there.
    Error error(std::size_t at, std::string_view what) const;
    const Error& error() const { return error_; }

  private:
    Token bad(std::size_t at, std::string_view what);
    Token name(std::size_t start);
    Token quoted(std::size_t start, char quote);
    Token number(std::size_t start);
    Token integer(std::size_t start, std::string_view digits, int base);
    Token approximate(std::size_t start, std::string_view digits, char suffix);
    Token symbol(std::size_t start);
    Token make(Word word, std::size_t start) const;
    bool continuesName(std::size_t at) const;
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    std::string_view text_;
    std::size_t at_;
    bool hyphens_;
    Error error_;
};

}  // namespace busbar::selector
