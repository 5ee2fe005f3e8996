#include "tests/bus/selector/reference.h"

#include <iterator>
#include <limits>
#include <map>
#include <regex>
#include <utility>
#include <variant>

namespace busbar::test {
namespace {

constexpr const char* kNames[] = {"p", "q", "r", "s", "JMSPriority", "JMSType"};
constexpr const char* kTexts[] = {"", "a", "b", "ab", "1", "x'y", "TRUE", "False", "0.5", "-2e0"};
constexpr const char* kPatterns[] = {"%", "a%", "_", "%b", "x_y", "", "1"};

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
    return out + "'";
}

// How tightly each form binds, for writing: the greater, the tighter.
int tightness(const Expression& e) {
    static const std::map<std::string, int> kTable = {
        {"OR", 1}, {"AND", 2},  {"NOT", 3},    {"+", 5},    {"-", 5},      {"*", 6},
        {"/", 6},  {"plus", 7}, {"negate", 7}, {"name", 8}, {"literal", 8}};
    const auto at = kTable.find(e.what);
    return at == kTable.end() ? 4 : at->second;
}

std::string within(const Expression& e, int least) {
    return tightness(e) < least ? "(" + write(e) + ")" : write(e);
}

struct Null {};
struct Other {};
using Result = std::variant<Null, bool, std::int64_t, double, std::string, Other>;

Result fromTruth(std::optional<bool> truth) {
    return truth ? Result(*truth) : Result(Null{});
}

Result fromValue(const Value* value) {
    if (!value) return Null{};
    if (std::holds_alternative<std::monostate>(*value)) return Null{};
    if (const auto* b = std::get_if<bool>(value)) return *b;
    if (const auto* i = std::get_if<std::int8_t>(value)) return std::int64_t{*i};
    if (const auto* i = std::get_if<std::int16_t>(value)) return std::int64_t{*i};
    if (const auto* i = std::get_if<std::int32_t>(value)) return std::int64_t{*i};
    if (const auto* i = std::get_if<std::int64_t>(value)) return *i;
    if (const auto* f = std::get_if<float>(value)) return double{*f};
    if (const auto* d = std::get_if<double>(value)) return *d;
    if (const auto* s = std::get_if<std::string>(value)) return *s;
    return Other{};
}

bool isNull(const Result& r) {
    return std::holds_alternative<Null>(r);
}
std::optional<double> asDouble(const Result& r) {
    if (const auto* i = std::get_if<std::int64_t>(&r)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&r)) return *d;
    return std::nullopt;
}

/// What a string reads as, by a regular expression for numbers.
Result asNumber(const Result& r) {
    static const std::regex kNumber("-?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?");
    const auto* text = std::get_if<std::string>(&r);
    if (!text || !std::regex_match(*text, kNumber)) return r;
    if (text->find_first_of(".eE") == std::string::npos) return std::int64_t{std::stoll(*text)};
    return std::stod(*text);
}

/// A string that meets a number or boolean becomes one if it can.
void meet(Result& a, const Result& other) {
    const auto* text = std::get_if<std::string>(&a);
    if (!text) return;
    if (std::holds_alternative<std::int64_t>(other) || std::holds_alternative<double>(other))
        a = asNumber(a);
    else if (std::holds_alternative<bool>(other) && (*text == "true" || *text == "TRUE"))
        a = true;
    else if (std::holds_alternative<bool>(other) && *text == "False")
        a = false;
}

template <class T>
bool ordered(const std::string& op, const T& a, const T& b) {
    if (op == "=") return a == b;
    if (op == "<>") return a != b;
    if (op == "<") return a < b;
    if (op == "<=") return a <= b;
    if (op == ">") return a > b;
    return a >= b;
}

std::optional<bool> compared(const std::string& op, Result a, Result b, bool convert) {
    if (convert) meet(a, b);
    if (convert) meet(b, a);
    if (isNull(a) || isNull(b)) return std::nullopt;
    const auto *i = std::get_if<std::int64_t>(&a), *j = std::get_if<std::int64_t>(&b);
    if (i && j) return ordered(op, *i, *j);
    if (asDouble(a) && asDouble(b)) return ordered(op, *asDouble(a), *asDouble(b));
    if (op != "=" && op != "<>") return false;
    const auto *s = std::get_if<std::string>(&a), *t = std::get_if<std::string>(&b);
    if (s && t) return ordered(op, *s, *t);
    const auto *x = std::get_if<bool>(&a), *y = std::get_if<bool>(&b);
    if (x && y) return ordered(op, *x, *y);
    return false;
}

std::optional<bool> both(std::optional<bool> a, std::optional<bool> b) {
    if ((a && !*a) || (b && !*b)) return false;
    if (!a || !b) return std::nullopt;
    return true;
}
std::optional<bool> either(std::optional<bool> a, std::optional<bool> b) {
    if ((a && *a) || (b && *b)) return true;
    if (!a || !b) return std::nullopt;
    return false;
}
std::optional<bool> opposite(std::optional<bool> a) {
    return a ? std::optional(!*a) : std::nullopt;
}

/// Wide enough for every intermediate result.
__extension__ using Wide = __int128;

std::int64_t low64(Wide wide) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(wide));
}

Result computed(const std::string& op, Result a, Result b, bool convert) {
    if (convert) a = asNumber(a);
    if (convert) b = asNumber(b);
    if (!asDouble(a) || !asDouble(b)) return Null{};
    const auto *i = std::get_if<std::int64_t>(&a), *j = std::get_if<std::int64_t>(&b);
    if (i && j) {
        const Wide x = *i, y = *j;
        if (op == "+") return low64(x + y);
        if (op == "-") return low64(x - y);
        if (op == "*") return low64(x * y);
        if (y == 0) return Null{};
        return low64(x / y);
    }
    const double x = *asDouble(a), y = *asDouble(b);
    return op == "+" ? x + y : op == "-" ? x - y : op == "*" ? x * y : x / y;
}

/// ASCII only, which is all that the generator makes.
bool like(const std::string& pattern, const std::string& text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '%')
        return like(pattern.substr(1), text) || (!text.empty() && like(pattern, text.substr(1)));
    return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) &&
           like(pattern.substr(1), text.substr(1));
}

Result valueOf(const Expression& e, const Message& m, bool convert);

std::optional<bool> truthOf(Result r, bool convert) {
    if (convert) meet(r, Result(true));
    if (isNull(r)) return std::nullopt;
    const auto* b = std::get_if<bool>(&r);
    return b && *b;
}

std::optional<bool> inList(const Expression& e, const Message& m, bool convert) {
    const Result subject = valueOf(e.parts[0], m, convert);
    if (isNull(subject)) return std::nullopt;
    bool found = false, like = false;
    for (std::size_t i = 1; i < e.parts.size(); ++i) {
        const Result item = valueOf(e.parts[i], m, convert);
        found = found || *compared("=", subject, item, convert);
        like = like || *compared("=", subject, item, convert) ||
               *compared("<>", subject, item, convert);
    }
    return e.negated ? like && !found : found;
}

std::optional<bool> between(const Expression& e, const Message& m, bool convert) {
    const Result x = valueOf(e.parts[0], m, convert), a = valueOf(e.parts[1], m, convert),
                 b = valueOf(e.parts[2], m, convert);
    if (e.negated) return either(compared("<", x, a, convert), compared(">", x, b, convert));
    return both(compared(">=", x, a, convert), compared("<=", x, b, convert));
}

std::optional<bool> likeOf(const Expression& e, const Message& m, bool convert) {
    const Result subject = valueOf(e.parts[0], m, convert);
    if (isNull(subject)) return std::nullopt;
    const auto* text = std::get_if<std::string>(&subject);
    return text && like(e.text, *text) != e.negated;
}

Result property(const std::string& name, const Message& m) {
    if (name == "JMSPriority") return std::int64_t{m.priority};
    if (name == "JMSType") return m.type.empty() ? Result(Null{}) : Result(m.type);
    return fromValue(m.properties.find(name));
}

Result valueOf(const Expression& e, const Message& m, bool convert) {
    if (e.what == "name") return property(e.text, m);
    if (e.what == "literal") return fromValue(&e.value);
    if (e.what == "AND")
        return fromTruth(both(truthOf(valueOf(e.parts[0], m, convert), convert),
                              truthOf(valueOf(e.parts[1], m, convert), convert)));
    if (e.what == "OR")
        return fromTruth(either(truthOf(valueOf(e.parts[0], m, convert), convert),
                                truthOf(valueOf(e.parts[1], m, convert), convert)));
    if (e.what == "NOT")
        return fromTruth(opposite(truthOf(valueOf(e.parts[0], m, convert), convert)));
    if (e.what == "IN") return fromTruth(inList(e, m, convert));
    if (e.what == "BETWEEN") return fromTruth(between(e, m, convert));
    if (e.what == "LIKE") return fromTruth(likeOf(e, m, convert));
    if (e.what == "IS NULL") return isNull(valueOf(e.parts[0], m, convert)) != e.negated;
    if (e.what == "plus")
        return computed("+", std::int64_t{0}, valueOf(e.parts[0], m, convert), convert);
    if (e.what == "negate") {
        Result x = valueOf(e.parts[0], m, convert);
        if (convert) x = asNumber(x);
        if (const auto* d = std::get_if<double>(&x)) return -*d;
        return computed("-", std::int64_t{0}, x, convert);
    }
    const Result a = valueOf(e.parts[0], m, convert), b = valueOf(e.parts[1], m, convert);
    if (e.what.find_first_of("+-*/") == 0) return computed(e.what, a, b, convert);
    return fromTruth(compared(e.what, a, b, convert));
}

}  // namespace

std::string write(const Expression& e) {
    const std::string no = e.negated ? " NOT" : "";
    if (e.what == "name") return e.text;
    if (e.what == "literal") return e.text;
    if (e.what == "NOT") return "NOT " + within(e.parts[0], 3);
    if (e.what == "negate") return "- " + within(e.parts[0], 7);
    if (e.what == "plus") return "+ " + within(e.parts[0], 7);
    if (e.what == "IS NULL") return write(e.parts[0]) + " IS" + no + " NULL";
    if (e.what == "LIKE") return write(e.parts[0]) + no + " LIKE " + quoted(e.text);
    if (e.what == "BETWEEN") {
        return within(e.parts[0], 5) + no + " BETWEEN " + within(e.parts[1], 5) + " AND " +
               within(e.parts[2], 5);
    }
    if (e.what == "IN") {
        std::string out = write(e.parts[0]) + no + " IN (";
        for (std::size_t i = 1; i < e.parts.size(); ++i)
            out += (i > 1 ? ", " : "") + write(e.parts[i]);
        return out + ")";
    }
    // Comparisons do not chain; the others join from the left.
    const int own = tightness(e);
    return within(e.parts[0], own == 4 ? 5 : own) + " " + e.what + " " +
           within(e.parts[1], own + 1);
}

std::optional<bool> evaluate(const Expression& expression, const Message& message, bool convert) {
    return truthOf(valueOf(expression, message, convert), convert);
}

Expression SelectorGenerator::name() {
    return {"name", false, kNames[below(std::size(kNames))], {}, {}};
}

Expression SelectorGenerator::numberLiteral() {
    static const std::pair<const char*, Value> kNumbers[] = {
        {"0", std::int64_t{0}},
        {"1", std::int64_t{1}},
        {"2L", std::int64_t{2}},
        {"0x4", std::int64_t{4}},
        {"010", std::int64_t{8}},
        {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
        {"9007199254740993", std::int64_t{9007199254740993}},
        {"9007199254740992.0", 9007199254740992.0},
        {"1.0", 1.0},
        {"0.5", 0.5},
        {"2F", 2.0},
        {"1E308", 1e308}};
    const auto& [text, value] = kNumbers[below(std::size(kNumbers))];
    return {"literal", false, text, value, {}};
}

Expression SelectorGenerator::textLiteral() {
    const std::string text = kTexts[below(std::size(kTexts))];
    return {"literal", false, quoted(text), text, {}};
}

Expression SelectorGenerator::literal() {
    switch (below(4)) {
        case 0:
            return {"literal", false, "TRUE", true, {}};
        case 1:
            return textLiteral();
        default:
            return numberLiteral();
    }
}

Expression SelectorGenerator::number(int depth) {
    if (depth <= 0 || below(3) == 0) return below(2) ? name() : numberLiteral();
    static constexpr const char* kOps[] = {"+", "-", "*", "/"};
    if (below(4) == 0) return {below(2) ? "negate" : "plus", false, {}, {}, {number(depth - 1)}};
    return {kOps[below(4)], false, {}, {}, {number(depth - 1), number(depth - 1)}};
}

Expression SelectorGenerator::comparand(int depth) {
    switch (below(8)) {
        case 0:
        case 1:
            return literal();
        case 2:
            return number(depth);
        case 3:
            return depth > 0 ? condition(depth - 1) : name();
        default:
            return name();
    }
}

Expression SelectorGenerator::condition(int depth) {
    static constexpr const char* kOrders[] = {"<", "<=", ">", ">="};
    if (depth > 0 && below(2) == 0) {
        if (below(4) == 0) return {"NOT", false, {}, {}, {condition(depth - 1)}};
        return {
            below(2) ? "AND" : "OR", false, {}, {}, {condition(depth - 1), condition(depth - 1)}};
    }
    const bool negated = below(2) == 0;
    switch (below(9)) {
        case 0:
        case 1:
            return {below(3) ? "=" : "<>", false, {}, {}, {comparand(depth), comparand(depth)}};
        case 2:
            return {"=", false, {}, {}, {name(), literal()}};
        case 3:
            return {kOrders[below(4)], false, {}, {}, {number(depth), number(depth)}};
        case 4:
            return {"BETWEEN", negated, {}, {}, {number(depth), number(depth), number(depth)}};
        case 5: {
            Expression in{"IN", negated, {}, {}, {name()}};
            for (auto n = 1 + below(4); n > 0; --n) in.parts.push_back(literal());
            return in;
        }
        case 6:
            return {"LIKE", negated, kPatterns[below(std::size(kPatterns))], {}, {name()}};
        case 7:
            return {"IS NULL", negated, {}, {}, {name()}};
        default:
            return name();
    }
}

Message SelectorGenerator::message() {
    Message m;
    m.priority = static_cast<unsigned char>(below(10));
    if (below(2)) m.type = kTexts[below(std::size(kTexts))];
    for (const char* name : {"p", "q", "r", "s"}) {
        switch (below(12)) {
            case 0:
                m.properties.append(name, below(2) == 0);
                break;
            case 1:
                m.properties.append(name, static_cast<std::int8_t>(below(4)));
                break;
            case 2:
                m.properties.append(name, static_cast<std::int16_t>(below(10)));
                break;
            case 3:
                m.properties.append(name, static_cast<std::int32_t>(below(3)));
                break;
            case 4:
                m.properties.append(
                    name, std::int64_t{9007199254740992} + static_cast<std::int64_t>(below(3)));
                break;
            case 5:
                m.properties.append(name, static_cast<float>(below(4)) / 2);
                break;
            case 6:
                m.properties.append(name, static_cast<double>(below(4)) / 2);
                break;
            case 7:
                m.properties.append(name, Bytes{"a"});
                break;
            case 8:
                m.properties.append(name, Value{});
                break;
            case 9:
                break;
            default:
                m.properties.append(name, std::string(kTexts[below(std::size(kTexts))]));
        }
    }
    return m;
}

}  // namespace busbar::test
