// A selector in the form in which it is evaluated: a flat list of steps over a stack of operands.
#pragma once

#include "bus/message/message.h"
#include "bus/selector/field.h"
#include "bus/selector/like_pattern.h"
#include "bus/selector/literal_set.h"
#include "bus/selector/operand.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::selector {

enum class Op : unsigned char {
    pushField,         ///< a: field
    pushLiteral,       ///< a: literal
    compare,           ///< two operands -> truth, by `comparison`
    compareToLiteral,  ///< a: field, b: literal -> truth, by `comparison`: the usual condition
    between,           ///< three operands -> truth; a: 1 for NOT
    in,                ///< operand -> truth; a: set, b: 1 for NOT
    like,              ///< operand -> truth; a: pattern, b: 1 for NOT
    isNull,            ///< operand -> truth; a: 1 for NOT
    add,
    subtract,
    multiply,
    divide,
    negate,
    number,     ///< unary plus
    condition,  ///< a value used as a condition
    logicalNot,
    logicalAnd,
    logicalOr,
    skipIfNo,   ///< a: step to go on with where the top is FALSE; it stays
    skipIfYes,  ///< the same for TRUE
};

struct Step {
    Op op;
    Comparison comparison = Comparison::equal;
    std::uint32_t a = 0;
    std::uint32_t b = 0;
};

/// Filled by the parser, then read-only. No recursion, no loop back: it ends after as many steps as
/// there are. Not movable: operands borrow from it.
class Program {
  public:
    explicit Program(bool convertStrings) : convertStrings_(convertStrings) {}
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    bool convertStrings() const { return convertStrings_; }

    std::uint32_t addField(std::string_view name);
    std::uint32_t addLiteral(const Operand& literal);
    /// A copy that lives as long as the program.
    Operand keep(std::string text);
    std::uint32_t addSet(LiteralSet set);
    std::uint32_t addPattern(LikePattern pattern);

    /// Appends a step; a comparison of a field with a literal becomes one step with both.
    void emit(const Step& step);
    /// Lets the skip at `step` go to the step that is emitted next.
    void land(std::size_t step) { steps_[step].a = static_cast<std::uint32_t>(steps_.size()); }
    std::size_t size() const { return steps_.size(); }
    const Step& step(std::size_t at) const { return steps_[at]; }
    const Operand& literal(std::uint32_t at) const { return literals_[at]; }
    const Field& field(std::uint32_t at) const { return fields_[at]; }
    /// After the last step: counts how many operands can wait.
    void finish();

    /// Any thread. Allocates only where more than 16 operands wait.
    Truth run(const Message& message) const;

  private:
    Truth run(const Message& message, Operand* stack) const;
    bool fuse(const Step& comparison);

    bool convertStrings_;
    std::vector<Step> steps_;
    std::vector<Field> fields_;
    std::vector<Operand> literals_;
    std::deque<std::string> texts_;  ///< a deque: they stay where they are
    std::vector<LiteralSet> sets_;
    std::vector<LikePattern> patterns_;
    std::size_t stackSize_ = 0;
};

}  // namespace busbar::selector
