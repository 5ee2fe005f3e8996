// The values that a selector computes with, and what its operators make of them.
#pragma once

#include "bus/message/value.h"

#include <cstdint>
#include <string_view>

namespace busbar::selector {

/// JMS 2.0 section 3.8.1.2: three-valued logic. In this order AND is the lesser, OR the greater.
enum class Truth : unsigned char { no, unknown, yes };

inline Truth truth(bool value) {
    return value ? Truth::yes : Truth::no;
}
inline Truth negate(Truth t) {
    return static_cast<Truth>(2 - static_cast<int>(t));
}

enum class Comparison : unsigned char {
    equal,
    unequal,
    less,
    lessOrEqual,
    greater,
    greaterOrEqual
};

/// `opaque`: there, but of a type that selectors cannot look into (bytes, a character).
enum class Kind : unsigned char { null, boolean, exact, approximate, text, opaque };

/// A value on the way through an expression. Text is borrowed from the message or the program. Left
/// uninitialised by itself: an evaluation begins with a whole stack of these.
struct Operand {
    Kind kind;
    union {
        bool boolean;
        std::int64_t exact;
        double approximate;
        const char* data;
    };
    std::size_t size;

    static Operand null() { return of(Kind::null); }
    static Operand opaque() { return of(Kind::opaque); }
    static Operand of(bool value) {
        Operand o = of(Kind::boolean);
        o.boolean = value;
        return o;
    }
    static Operand of(std::int64_t value) {
        Operand o = of(Kind::exact);
        o.exact = value;
        return o;
    }
    static Operand of(double value) {
        Operand o = of(Kind::approximate);
        o.approximate = value;
        return o;
    }
    static Operand of(std::string_view value) {
        Operand o = of(Kind::text);
        o.data = value.data();
        o.size = value.size();
        return o;
    }
    /// UNKNOWN is the NULL of conditions.
    static Operand of(Truth value) {
        return value == Truth::unknown ? null() : of(value == Truth::yes);
    }
    static Operand of(const Value& value);

    std::string_view text() const { return {data, size}; }
    bool isNumber() const { return kind == Kind::exact || kind == Kind::approximate; }
    double asDouble() const {
        return kind == Kind::exact ? static_cast<double>(exact) : approximate;
    }

  private:
    static Operand of(Kind kind) {
        Operand o;
        o.kind = kind;
        return o;
    }
};

/// The number that the whole of `text` is: a long where it can be, else a finite double; opaque
/// where it is none.
Operand readNumber(std::string_view text);
/// TRUE or FALSE from "true" or "false" in any case; opaque otherwise.
Operand readBoolean(std::string_view text);

/// NULL on either side: UNKNOWN. Unlike types: FALSE, also for `<>`. Strings and booleans know only
/// `=` and `<>`; the others are FALSE. Numbers as in Java: two longs as such, else as doubles.
/// With `convertStrings` a string that meets a number or boolean is read as one first.
Truth compare(Comparison comparison, Operand a, Operand b, bool convertStrings);

/// What a value says as a condition: a boolean itself, NULL is UNKNOWN, all else is FALSE.
Truth condition(const Operand& operand, bool convertStrings);

/// `op` is one of + - * /. Two longs give a long and wrap around as in Java; otherwise a double.
/// NULL where an operand is NULL or no number, and for a long divided by zero.
Operand calculate(char op, Operand a, Operand b, bool convertStrings);

/// The number with the other sign; NULL where it is none.
Operand negated(Operand operand, bool convertStrings);
/// The number itself; NULL where it is none: unary plus.
Operand number(Operand operand, bool convertStrings);

}  // namespace busbar::selector
