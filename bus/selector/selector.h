// Which messages does a consumer want? JMS message selectors (JMS 2.0 section 3.8), compiled once.
#pragma once

#include "bus/base/result.h"
#include "bus/message/message.h"
#include "bus/selector/index_key.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace busbar {

namespace selector {
class Program;
}

/// What a selector may cost. The defaults let any selector through that people write.
struct SelectorLimits {
    std::size_t textBytesMax = 64 * 1024;
    std::size_t depthMax = 200;         ///< Parentheses, NOT and signs in each other; at most 500.
    std::size_t operationsMax = 4096;   ///< Operands and operators of the whole text.
    std::size_t listItemsMax = 10'000;  ///< Literals of one IN list.
    /// Characters between two `%` of a LIKE pattern, where there is a `_` among them: such a part
    /// is searched for at each place of the value.
    std::size_t searchedPartMax = 256;
};

/// A selector in compiled form. Immutable: any number of threads may evaluate one at a time.
///
/// The language, its types and its treatment of NULL are on docs/selectors.md. In short: a property
/// that a message does not have is NULL, a comparison with NULL is UNKNOWN, one between unlike
/// types is FALSE, and only TRUE selects. Two prefixes of the text are options, as in ActiveMQ and
/// Artemis: `convert_string_expressions:` (a string that meets a number or a boolean is read as
/// one, for STOMP, whose properties are all strings) and `hyphenated_props:` (`a-b` is a name).
/// They are part of the text, so that the text alone says what a stored subscription wants.
class Selector {
  public:
    /// Compiles `text`. Empty or blank text is an error here: "no selector" is the caller's case.
    /// invalidArgument, with column (from 1, in characters), what was found and what was expected;
    /// tooLarge over a limit. Time and memory are linear in the text.
    static Result<std::shared_ptr<const Selector>> parse(std::string_view text,
                                                         const SelectorLimits& limits = {});
    ~Selector();
    Selector(const Selector&) = delete;
    Selector& operator=(const Selector&) = delete;

    /// True where the selector is TRUE for the message; false for FALSE and UNKNOWN. Allocates only
    /// where more than 16 operands wait for their operator at once. Takes time linear in the number
    /// of operations; LIKE in value times longest searched part.
    bool matches(const Message& message) const;

    /// As it was given.
    const std::string& text() const { return text_; }

    /// What each matching message has in common, for an index; nothing where the text tells none.
    /// Taken from the conditions that AND joins at the top: `p = literal`, `p IN (...)`, or an OR
    /// of these over one `p`; the most selective one by the look of it.
    const std::optional<EqualityKey>& equalityKey() const { return equalityKey_; }

  private:
    Selector(std::string text, std::unique_ptr<const selector::Program> program,
             std::optional<EqualityKey> equalityKey);

    std::string text_;
    std::unique_ptr<const selector::Program> program_;
    std::optional<EqualityKey> equalityKey_;
};

}  // namespace busbar
