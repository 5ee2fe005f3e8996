// Selectors once more, slowly: expressions are generated as trees, written as text, and evaluated
// here by the words of JMS 2.0 section 3.8.1, without any code of bus/selector.
#pragma once

#include "bus/message/message.h"

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace busbar::test {

struct Expression {
    /// "name", "literal", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "negate", "plus",
    /// "AND", "OR", "NOT", "BETWEEN", "IN", "LIKE", "IS NULL"
    std::string what;
    bool negated = false;  ///< of BETWEEN, IN, LIKE, IS NULL
    std::string text;      ///< name, literal as written, or pattern
    Value value;           ///< of a literal
    std::vector<Expression> parts;
};

/// Makes conditions and messages from a few property names, so that they often meet.
class SelectorGenerator {
  public:
    explicit SelectorGenerator(std::uint64_t seed) : random_(seed) {}

    Expression condition(int depth);
    Message message();

  private:
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    Expression number(int depth);
    Expression comparand(int depth);
    Expression numberLiteral();
    Expression textLiteral();
    Expression literal();
    Expression name();

    std::mt19937_64 random_;
};

/// With no more parentheses than the grammar needs, so that precedence is put to the test.
std::string write(const Expression& expression);

/// Empty: UNKNOWN. `convert` is the option convert_string_expressions.
std::optional<bool> evaluate(const Expression& expression, const Message& message, bool convert);

}  // namespace busbar::test
