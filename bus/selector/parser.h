// From the text of a selector to its program.
//
//   selector   := or
//   or         := and ( OR and )*
//   and        := not ( AND not )*
//   not        := NOT not | predicate
//   predicate  := sum [ ( = | <> | != | < | <= | > | >= ) sum
//                     | [NOT] BETWEEN sum AND sum
//                     | [NOT] IN ( item ( , item )* )
//                     | [NOT] LIKE string [ ESCAPE string ]
//                     | IS [NOT] NULL ]
//   sum        := product ( ( + | - ) product )*
//   product    := signed ( ( * | / ) signed )*
//   signed     := ( + | - ) signed | primary
//   primary    := name | literal | TRUE | FALSE | ( or )
//   item       := string | [ + | - ] number | TRUE | FALSE
#pragma once

#include "bus/selector/index_key.h"
#include "bus/selector/lexer.h"
#include "bus/selector/program.h"
#include "bus/selector/selector.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace busbar::selector {

struct Parsed {
    std::unique_ptr<const Program> program;
    std::optional<EqualityKey> equalityKey;
};

/// One text's way through the grammar above. Its productions return nothing after an error. They
/// recurse as deep as the text nests, which the limits bound.
class Parser {
  public:
    /// `text` is UTF-8; what precedes byte `from` were options.
    Parser(std::string_view text, std::size_t from, bool convertStrings, bool hyphens,
           const SelectorLimits& limits);
    Result<Parsed> run();

  private:
    /// What is known of a value while parsing: a property's type shows only in the message.
    enum class Type : unsigned char { any, condition, boolean, number, text };
    /// "A matching message has one of these values there."
    struct Candidate {
        std::uint32_t field = 0;
        std::vector<IndexKey> values;
    };
    struct Term {
        Type type = Type::any;
        std::size_t at = 0;   ///< its first byte
        bool isName = false;  ///< nothing but a name: what IN, LIKE and IS NULL want
        std::optional<Candidate> candidate{};
    };
    using MaybeTerm = std::optional<Term>;

    MaybeTerm orExpression();
    MaybeTerm andExpression();
    MaybeTerm notExpression();
    MaybeTerm predicate();
    MaybeTerm comparison(const Term& left, Comparison operation);
    MaybeTerm between(const Term& left, bool negated);
    MaybeTerm in(const Term& left, bool negated);
    MaybeTerm like(const Term& left, bool negated);
    MaybeTerm isNull(const Term& left);
    MaybeTerm sum();
    MaybeTerm product();
    MaybeTerm signedValue();
    MaybeTerm primary();
    MaybeTerm name();
    MaybeTerm number(std::size_t at, bool negative);
    MaybeTerm parenthesis();
    MaybeTerm arithmetic(const Term& left, Op op, MaybeTerm (Parser::*operand)());

    std::optional<Operand> item();
    std::optional<Operand> numberLiteral(bool negative);
    std::optional<std::string> string(std::string_view what);
    /// What is known of `a OR b`, of `a AND b`.
    static std::optional<Candidate> united(std::optional<Candidate> a, std::optional<Candidate> b);
    std::optional<Candidate> better(std::optional<Candidate> a, std::optional<Candidate> b) const;
    bool asCondition(Term& term);
    bool wants(const Term& term, Type type, std::string_view what);
    bool deeper(std::size_t at);

    bool take(Word word);
    bool expect(Word word, std::string_view what);
    void advance() { token_ = lexer_.next(); }
    void emit(const Step& step);
    void fail(std::size_t at, std::string_view what, ErrorCode code = ErrorCode::invalidArgument);
    void failExpecting(std::string_view what);

    SelectorLimits limits_;
    std::string_view text_;
    Lexer lexer_;
    Token token_;
    std::unique_ptr<Program> program_;
    std::size_t depth_ = 0;
    std::size_t operations_ = 0;
    std::optional<Error> error_;
};

}  // namespace busbar::selector
