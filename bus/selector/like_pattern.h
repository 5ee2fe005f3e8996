// LIKE: `_` is one character, `%` any number of them (JMS 2.0 section 3.8.1.1, "[NOT] LIKE").
#pragma once

#include "bus/base/result.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::selector {

/// A pattern cut at its `%` into parts that follow each other. Immutable.
class LikePattern {
  public:
    /// `escape` is empty or one character, before which nothing is special. invalidArgument where
    /// the pattern ends with it, tooLarge where a part between two `%` has a `_` and more than
    /// `searchedPartMax` characters.
    static Result<LikePattern> parse(std::string_view pattern, std::string_view escape,
                                     std::size_t searchedPartMax);

    /// Takes the size of the text times that of the longest searched part at most; allocates
    /// nothing. A byte that is no UTF-8 counts as a character.
    bool matches(std::string_view text) const;

  private:
    /// Literal text with single-character wildcards before, within and after.
    struct Part {
        struct Piece {
            std::size_t skip = 0;  ///< characters of any kind, then
            std::string literal;
        };
        std::vector<Piece> pieces;
        std::size_t skipAtEnd = 0;
        std::size_t characters = 0;

        bool empty() const { return characters == 0; }
        /// One literal: it can be searched for as such.
        bool plain() const { return pieces.size() == 1 && pieces[0].skip == 0 && skipAtEnd == 0; }
    };

    static constexpr std::size_t kNone = std::string_view::npos;
    /// The end of `part` where it begins at byte `at`, or kNone.
    static std::size_t matchAt(const Part& part, std::string_view text, std::size_t at);
    /// The end of the first `part` at `from` or later, or kNone.
    static std::size_t find(const Part& part, std::string_view text, std::size_t from);
    static bool endsWith(const Part& part, std::string_view text, std::size_t from);
    static void append(Part& part, std::string_view character);
    static void appendAny(Part& part);

    Part first_;
    std::vector<Part> searched_;
    std::optional<Part> last_;  ///< after the last `%`; none: the pattern has no `%`
};

}  // namespace busbar::selector
