#include "bus/selector/operand.h"

#include <charconv>
#include <type_traits>

namespace busbar::selector {
namespace {

template <class T>
Truth ordered(Comparison comparison, T a, T b) {
    switch (comparison) {
        case Comparison::equal:
            return truth(a == b);
        case Comparison::unequal:
            return truth(a != b);
        case Comparison::less:
            return truth(a < b);
        case Comparison::lessOrEqual:
            return truth(a <= b);
        case Comparison::greater:
            return truth(a > b);
        case Comparison::greaterOrEqual:
            return truth(a >= b);
    }
    return Truth::no;
}

template <class T>
Truth equated(Comparison comparison, T a, T b) {
    if (comparison == Comparison::equal) return truth(a == b);
    return truth(comparison == Comparison::unequal && a != b);
}

/// A string that meets another kind becomes that kind where it can.
Operand convertedTo(Kind kind, const Operand& text) {
    return kind == Kind::boolean ? readBoolean(text.text()) : readNumber(text.text());
}

void align(Operand& a, Operand& b) {
    if (a.kind == b.kind) return;
    if (a.kind == Kind::text)
        a = convertedTo(b.kind, a);
    else if (b.kind == Kind::text)
        b = convertedTo(a.kind, b);
}

std::int64_t wrapped(char op, std::int64_t a, std::int64_t b) {
    const auto x = static_cast<std::uint64_t>(a);
    const auto y = static_cast<std::uint64_t>(b);
    switch (op) {
        case '+':
            return static_cast<std::int64_t>(x + y);
        case '-':
            return static_cast<std::int64_t>(x - y);
        case '*':
            return static_cast<std::int64_t>(x * y);
        default:  // the quotient that does not fit wraps around as in Java
            return b == -1 ? static_cast<std::int64_t>(0 - x) : a / b;
    }
}

double calculated(char op, double a, double b) {
    switch (op) {
        case '+':
            return a + b;
        case '-':
            return a - b;
        case '*':
            return a * b;
        default:  // by zero: infinite or NaN (IEC 60559), as in Java
            return a / b;
    }
}

}  // namespace

Operand Operand::of(const Value& value) {
    return std::visit(
        [](const auto& v) -> Operand {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, std::monostate>)
                return null();
            else if constexpr (std::is_same_v<T, bool>)
                return of(v);
            else if constexpr (std::is_same_v<T, char16_t> || std::is_same_v<T, Bytes>)
                return opaque();
            else if constexpr (std::is_integral_v<T>)
                return of(static_cast<std::int64_t>(v));
            else if constexpr (std::is_floating_point_v<T>)
                return of(static_cast<double>(v));
            else
                return of(std::string_view(v));
        },
        value);
}

Operand readNumber(std::string_view text) {
    const char* const end = text.data() + text.size();
    std::int64_t exact = 0;
    if (const auto read = std::from_chars(text.data(), end, exact);
        read.ec == std::errc() && read.ptr == end)
        return Operand::of(exact);
    // from_chars would take "inf" and "nan" too.
    if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos)
        return Operand::opaque();
    double approximate = 0;
    const auto read = std::from_chars(text.data(), end, approximate);
    return read.ec == std::errc() && read.ptr == end ? Operand::of(approximate) : Operand::opaque();
}

Operand readBoolean(std::string_view text) {
    const auto is = [text](std::string_view word) {
        if (text.size() != word.size()) return false;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if ((text[i] | 0x20) != word[i]) return false;
        }
        return true;
    };
    if (is("true")) return Operand::of(true);
    return is("false") ? Operand::of(false) : Operand::opaque();
}

Truth compare(Comparison comparison, Operand a, Operand b, bool convertStrings) {
    if (a.kind == Kind::null || b.kind == Kind::null) return Truth::unknown;
    if (convertStrings) align(a, b);
    if (a.kind == Kind::exact && b.kind == Kind::exact)
        return ordered(comparison, a.exact, b.exact);
    if (a.isNumber() && b.isNumber()) return ordered(comparison, a.asDouble(), b.asDouble());
    if (a.kind != b.kind) return Truth::no;
    if (a.kind == Kind::text) return equated(comparison, a.text(), b.text());
    return a.kind == Kind::boolean ? equated(comparison, a.boolean, b.boolean) : Truth::no;
}

Truth condition(const Operand& operand, bool convertStrings) {
    if (operand.kind == Kind::null) return Truth::unknown;
    if (operand.kind == Kind::boolean) return truth(operand.boolean);
    if (!convertStrings || operand.kind != Kind::text) return Truth::no;
    const Operand read = readBoolean(operand.text());
    return truth(read.kind == Kind::boolean && read.boolean);
}

Operand number(Operand operand, bool convertStrings) {
    if (convertStrings && operand.kind == Kind::text) operand = readNumber(operand.text());
    return operand.isNumber() ? operand : Operand::null();
}

Operand calculate(char op, Operand a, Operand b, bool convertStrings) {
    a = number(a, convertStrings);
    b = number(b, convertStrings);
    if (a.kind == Kind::null || b.kind == Kind::null) return Operand::null();
    if (a.kind == Kind::exact && b.kind == Kind::exact) {
        if (op == '/' && b.exact == 0) return Operand::null();
        return Operand::of(wrapped(op, a.exact, b.exact));
    }
    return Operand::of(calculated(op, a.asDouble(), b.asDouble()));
}

Operand negated(Operand operand, bool convertStrings) {
    operand = number(operand, convertStrings);
    if (operand.kind == Kind::exact) return Operand::of(wrapped('-', 0, operand.exact));
    if (operand.kind == Kind::approximate) return Operand::of(-operand.approximate);
    return operand;
}

}  // namespace busbar::selector
