#include "bus/selector/program.h"

#include <algorithm>
#include <utility>

namespace busbar::selector {
namespace {

constexpr std::size_t kInlineStack = 16;

template <class T>
std::uint32_t append(std::vector<T>& items, T item) {
    items.push_back(std::move(item));
    return static_cast<std::uint32_t>(items.size() - 1);
}

/// `5 < p` as `p > 5`.
Comparison mirrored(Comparison comparison) {
    switch (comparison) {
        case Comparison::less:
            return Comparison::greater;
        case Comparison::lessOrEqual:
            return Comparison::greaterOrEqual;
        case Comparison::greater:
            return Comparison::less;
        case Comparison::greaterOrEqual:
            return Comparison::lessOrEqual;
        default:
            return comparison;
    }
}

/// By how much a step lets the stack grow.
int growth(Op op) {
    switch (op) {
        case Op::pushField:
        case Op::pushLiteral:
        case Op::compareToLiteral:
            return 1;
        case Op::compare:
        case Op::add:
        case Op::subtract:
        case Op::multiply:
        case Op::divide:
        case Op::logicalAnd:
        case Op::logicalOr:
            return -1;
        case Op::between:
            return -2;
        default:
            return 0;
    }
}

/// `x BETWEEN low AND high` is `x >= low AND x <= high`; NOT BETWEEN is `x < low OR x > high`.
Truth between(const Operand* operands, bool negated, bool convert) {
    const Operand &x = operands[0], &low = operands[1], &high = operands[2];
    if (negated) {
        return std::max(compare(Comparison::less, x, low, convert),
                        compare(Comparison::greater, x, high, convert));
    }
    return std::min(compare(Comparison::greaterOrEqual, x, low, convert),
                    compare(Comparison::lessOrEqual, x, high, convert));
}

Truth like(const LikePattern& pattern, const Operand& operand, bool negated) {
    if (operand.kind == Kind::null) return Truth::unknown;
    return truth(operand.kind == Kind::text && pattern.matches(operand.text()) != negated);
}

Truth truthOf(const Operand& operand) {
    return operand.kind == Kind::null ? Truth::unknown : truth(operand.boolean);
}

bool is(const Operand& operand, bool value) {
    return operand.kind == Kind::boolean && operand.boolean == value;
}

}  // namespace

std::uint32_t Program::addField(std::string_view name) {
    const auto known = std::find_if(fields_.begin(), fields_.end(),
                                    [&](const Field& field) { return field.name == name; });
    if (known != fields_.end()) return static_cast<std::uint32_t>(known - fields_.begin());
    return append(fields_, Field{sourceOf(name), std::string(name)});
}

std::uint32_t Program::addLiteral(const Operand& literal) {
    return append(literals_, literal);
}

Operand Program::keep(std::string text) {
    return Operand::of(std::string_view(texts_.emplace_back(std::move(text))));
}

std::uint32_t Program::addSet(LiteralSet set) {
    return append(sets_, std::move(set));
}

std::uint32_t Program::addPattern(LikePattern pattern) {
    return append(patterns_, std::move(pattern));
}

bool Program::fuse(const Step& comparison) {
    if (comparison.op != Op::compare || steps_.size() < 2) return false;
    const Step left = steps_[steps_.size() - 2];
    const Step right = steps_.back();
    const bool straight = left.op == Op::pushField && right.op == Op::pushLiteral;
    if (!straight && !(left.op == Op::pushLiteral && right.op == Op::pushField)) return false;
    steps_.resize(steps_.size() - 2);
    if (straight)
        steps_.push_back({Op::compareToLiteral, comparison.comparison, left.a, right.a});
    else
        steps_.push_back({Op::compareToLiteral, mirrored(comparison.comparison), right.a, left.a});
    return true;
}

void Program::emit(const Step& step) {
    if (!fuse(step)) steps_.push_back(step);
}

void Program::finish() {
    // A skip lands where the stack is as high as on the way through, so one pass tells.
    std::size_t height = 0;
    for (const Step& step : steps_) {
        height += static_cast<std::size_t>(growth(step.op));
        stackSize_ = std::max(stackSize_, height);
    }
    steps_.shrink_to_fit();
}

Truth Program::run(const Message& message) const {
    if (stackSize_ <= kInlineStack) {
        Operand stack[kInlineStack];
        return run(message, stack);
    }
    std::vector<Operand> stack(stackSize_);
    return run(message, stack.data());
}

Truth Program::run(const Message& message, Operand* stack) const {
    Operand* top = stack - 1;
    const auto binary = [&](char op) {
        --top;
        *top = calculate(op, top[0], top[1], convertStrings_);
    };
    for (std::size_t at = 0; at < steps_.size(); ++at) {
        const Step& step = steps_[at];
        switch (step.op) {
            case Op::pushField:
                *++top = fields_[step.a].read(message);
                break;
            case Op::pushLiteral:
                *++top = literals_[step.a];
                break;
            case Op::compare:
                --top;
                *top = Operand::of(compare(step.comparison, top[0], top[1], convertStrings_));
                break;
            case Op::compareToLiteral:
                *++top = Operand::of(compare(step.comparison, fields_[step.a].read(message),
                                             literals_[step.b], convertStrings_));
                break;
            case Op::between:
                top -= 2;
                *top = Operand::of(between(top, step.a != 0, convertStrings_));
                break;
            case Op::in:
                *top = Operand::of(step.b ? sets_[step.a].lacks(*top, convertStrings_)
                                          : sets_[step.a].contains(*top, convertStrings_));
                break;
            case Op::like:
                *top = Operand::of(like(patterns_[step.a], *top, step.b != 0));
                break;
            case Op::isNull:
                *top = Operand::of((top->kind == Kind::null) != (step.a != 0));
                break;
            case Op::add:
                binary('+');
                break;
            case Op::subtract:
                binary('-');
                break;
            case Op::multiply:
                binary('*');
                break;
            case Op::divide:
                binary('/');
                break;
            case Op::negate:
                *top = negated(*top, convertStrings_);
                break;
            case Op::number:
                *top = number(*top, convertStrings_);
                break;
            case Op::condition:
                *top = Operand::of(condition(*top, convertStrings_));
                break;
            case Op::logicalNot:
                *top = Operand::of(negate(truthOf(*top)));
                break;
            case Op::logicalAnd:
                --top;
                *top = Operand::of(std::min(truthOf(top[0]), truthOf(top[1])));
                break;
            case Op::logicalOr:
                --top;
                *top = Operand::of(std::max(truthOf(top[0]), truthOf(top[1])));
                break;
            case Op::skipIfNo:
                if (is(*top, false)) at = step.a - 1;
                break;
            case Op::skipIfYes:
                if (is(*top, true)) at = step.a - 1;
                break;
        }
    }
    return truthOf(*top);
}

}  // namespace busbar::selector
