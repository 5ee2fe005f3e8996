#include "bus/selector/parser.h"

#include "bus/selector/identifier.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace busbar::selector {
namespace {

constexpr std::size_t kDepthMost = 500;  // what the smallest thread stack has room for

IndexKey keyOf(const Operand& literal, bool convertStrings) {
    Operand value = literal;
    if (convertStrings && value.kind == Kind::text) {
        if (const Operand n = readNumber(value.text()); n.isNumber())
            value = n;
        else if (const Operand b = readBoolean(value.text()); b.kind == Kind::boolean)
            value = b;
    }
    if (value.kind == Kind::boolean) return IndexKey(value.boolean);
    if (value.kind == Kind::text) return IndexKey(std::string(value.text()));
    return IndexKey(value.asDouble());
}

/// Less is more selective: properties that have few values at all come last.
auto selectivity(const Field& field, const std::vector<IndexKey>& values) {
    const bool coarse = field.source == Source::deliveryMode || field.source == Source::priority ||
                        values.front().kind == IndexKeyView::Kind::boolean;
    const bool text = values.front().kind == IndexKeyView::Kind::text;
    return std::tuple(coarse, values.size(), !text);
}

std::optional<Comparison> comparisonOf(Word word) {
    switch (word) {
        case Word::equal:
            return Comparison::equal;
        case Word::unequal:
            return Comparison::unequal;
        case Word::less:
            return Comparison::less;
        case Word::lessOrEqual:
            return Comparison::lessOrEqual;
        case Word::greater:
            return Comparison::greater;
        case Word::greaterOrEqual:
            return Comparison::greaterOrEqual;
        default:
            return std::nullopt;
    }
}

/// Each key once; the order does not matter.
std::vector<IndexKey> distinct(std::vector<IndexKey> keys) {
    std::unordered_set<IndexKey, IndexKeyHash, IndexKeyEqual> seen;
    std::erase_if(keys, [&](const IndexKey& key) { return !seen.insert(key).second; });
    return keys;
}

bool isReserved(Word word) {
    return word >= Word::notWord;
}

}  // namespace

Parser::Parser(std::string_view text, std::size_t from, bool convertStrings, bool hyphens,
               const SelectorLimits& limits)
    : limits_(limits),
      text_(text),
      lexer_(text, from, hyphens),
      program_(std::make_unique<Program>(convertStrings)) {}

Result<Parsed> Parser::run() {
    advance();
    MaybeTerm whole = orExpression();
    if (whole && asCondition(*whole) && token_.word != Word::end)
        failExpecting("AND, OR or the end");
    if (error_) return *error_;
    std::optional<EqualityKey> key;
    if (whole->candidate) {
        const auto strings =
            program_->convertStrings() ? StringKeys::converted : StringKeys::asTheyAre;
        key = EqualityKey{program_->field(whole->candidate->field).name, strings,
                          distinct(std::move(whole->candidate->values))};
    }
    program_->finish();
    return Parsed{std::move(program_), std::move(key)};
}

void Parser::fail(std::size_t at, std::string_view what, ErrorCode code) {
    if (error_) return;
    error_ = lexer_.error(at, what);
    error_->code = code;
}

void Parser::failExpecting(std::string_view what) {
    if (error_) return;
    if (token_.word == Word::bad) {
        error_ = lexer_.error();
        return;
    }
    constexpr std::size_t kShown = 30;
    std::string found = "the end";
    if (token_.word != Word::end) {
        const bool whole = token_.size <= kShown;
        std::size_t size = whole ? token_.size : kShown;
        while (!whole && (static_cast<unsigned char>(text_[token_.at + size]) & 0xc0) == 0x80)
            --size;
        found = std::string(text_.substr(token_.at, size)) + (whole ? "" : "...");
    }
    std::string text = "found " + found + " where " + std::string(what) + " was expected";
    if (isReserved(token_.word))
        text += " (a reserved word; a property of this name is written in double quotes)";
    fail(token_.at, text);
}

bool Parser::take(Word word) {
    if (token_.word != word) return false;
    advance();
    return true;
}

bool Parser::expect(Word word, std::string_view what) {
    if (take(word)) return true;
    failExpecting(what);
    return false;
}

void Parser::emit(const Step& step) {
    if (++operations_ > limits_.operationsMax) {
        fail(token_.at, "more than " + std::to_string(limits_.operationsMax) + " operations",
             ErrorCode::tooLarge);
    }
    program_->emit(step);
}

bool Parser::deeper(std::size_t at) {
    const std::size_t most = std::min(limits_.depthMax, kDepthMost);
    if (++depth_ > most)
        fail(at, "nested more than " + std::to_string(most) + " deep", ErrorCode::tooLarge);
    return !error_;
}

bool Parser::wants(const Term& term, Type type, std::string_view what) {
    if (term.type != Type::any && term.type != type) fail(term.at, what);
    return !error_;
}

bool Parser::asCondition(Term& term) {
    if (term.type == Type::number || term.type == Type::text) {
        fail(term.at, term.type == Type::number ? "a number where a condition was expected"
                                                : "a string where a condition was expected");
    }
    if (term.type == Type::any) {
        if (term.isName)
            term.candidate = Candidate{program_->step(program_->size() - 1).a, {IndexKey(true)}};
        emit({Op::condition});
        term.type = Type::condition;
        term.isName = false;
    }
    return !error_;
}

Parser::MaybeTerm Parser::orExpression() {
    MaybeTerm left = andExpression();
    std::vector<std::size_t> skips;
    while (left && token_.word == Word::orWord) {
        if (!asCondition(*left)) return std::nullopt;
        skips.push_back(program_->size());
        emit({Op::skipIfYes});
        advance();
        MaybeTerm right = andExpression();
        if (!right || !asCondition(*right)) return std::nullopt;
        emit({Op::logicalOr});
        left->candidate = united(std::move(left->candidate), std::move(right->candidate));
    }
    for (const std::size_t skip : skips) program_->land(skip);
    return error_ ? std::nullopt : left;
}

Parser::MaybeTerm Parser::andExpression() {
    MaybeTerm left = notExpression();
    std::vector<std::size_t> skips;
    while (left && token_.word == Word::andWord) {
        if (!asCondition(*left)) return std::nullopt;
        skips.push_back(program_->size());
        emit({Op::skipIfNo});
        advance();
        MaybeTerm right = notExpression();
        if (!right || !asCondition(*right)) return std::nullopt;
        emit({Op::logicalAnd});
        left->candidate = better(std::move(left->candidate), std::move(right->candidate));
    }
    for (const std::size_t skip : skips) program_->land(skip);
    return error_ ? std::nullopt : left;
}

std::optional<Parser::Candidate> Parser::united(std::optional<Candidate> a,
                                                std::optional<Candidate> b) {
    if (!a || !b || a->field != b->field) return std::nullopt;
    a->values.insert(a->values.end(), b->values.begin(), b->values.end());
    return a;
}

std::optional<Parser::Candidate> Parser::better(std::optional<Candidate> a,
                                                std::optional<Candidate> b) const {
    if (!a || !b) return a ? std::move(a) : std::move(b);
    const bool second = selectivity(program_->field(b->field), b->values) <
                        selectivity(program_->field(a->field), a->values);
    return second ? std::move(b) : std::move(a);
}

Parser::MaybeTerm Parser::notExpression() {
    const std::size_t at = token_.at;
    if (!take(Word::notWord)) return predicate();
    if (!deeper(at)) return std::nullopt;
    MaybeTerm term = notExpression();
    if (!term || !asCondition(*term)) return std::nullopt;
    --depth_;
    emit({Op::logicalNot});
    return Term{Type::condition, at};
}

Parser::MaybeTerm Parser::predicate() {
    MaybeTerm left = sum();
    if (!left) return std::nullopt;
    if (const auto operation = comparisonOf(token_.word)) return comparison(*left, *operation);
    if (token_.word == Word::isWord) return isNull(*left);
    const bool negated = take(Word::notWord);
    switch (token_.word) {
        case Word::betweenWord:
            return between(*left, negated);
        case Word::inWord:
            return in(*left, negated);
        case Word::likeWord:
            return like(*left, negated);
        default:
            if (!negated) return left;
            failExpecting("BETWEEN, IN or LIKE");
            return std::nullopt;
    }
}

Parser::MaybeTerm Parser::comparison(const Term& left, Comparison operation) {
    advance();
    const MaybeTerm right = sum();
    if (!right) return std::nullopt;
    if (operation != Comparison::equal && operation != Comparison::unequal) {
        constexpr std::string_view kWhat =
            "only numbers are less or greater: a string, boolean or "
            "condition can be compared with = and <>";
        if (!wants(left, Type::number, kWhat) || !wants(*right, Type::number, kWhat))
            return std::nullopt;
    }
    emit({Op::compare, operation});
    Term term{Type::condition, left.at};
    const Step& last = program_->step(program_->size() - 1);
    if (last.op == Op::compareToLiteral && operation == Comparison::equal) {
        const IndexKey key = keyOf(program_->literal(last.b), program_->convertStrings());
        term.candidate = Candidate{last.a, {key}};
    }
    return term;
}

Parser::MaybeTerm Parser::between(const Term& left, bool negated) {
    constexpr std::string_view kWhat = "BETWEEN is about numbers";
    advance();
    if (!wants(left, Type::number, kWhat)) return std::nullopt;
    const MaybeTerm low = sum();
    if (!low || !wants(*low, Type::number, kWhat) || !expect(Word::andWord, "AND of BETWEEN"))
        return std::nullopt;
    const MaybeTerm high = sum();
    if (!high || !wants(*high, Type::number, kWhat)) return std::nullopt;
    emit({Op::between, {}, negated});
    return Term{Type::condition, left.at};
}

Parser::MaybeTerm Parser::isNull(const Term& left) {
    advance();
    const bool negated = take(Word::notWord);
    if (!expect(Word::nullWord, negated ? "NULL" : "NULL or NOT NULL")) return std::nullopt;
    if (!left.isName) fail(left.at, "IS NULL wants a name before it");
    emit({Op::isNull, {}, negated});
    return Term{Type::condition, left.at};
}

Parser::MaybeTerm Parser::in(const Term& left, bool negated) {
    advance();
    if (!left.isName) fail(left.at, "IN wants a name before it");
    if (!expect(Word::opening, "the ( of IN")) return std::nullopt;
    Candidate candidate{program_->step(program_->size() - 1).a, {}};
    LiteralSet set;
    do {
        const auto literal = item();
        if (!literal) return std::nullopt;
        set.add(*literal);
        candidate.values.push_back(keyOf(*literal, program_->convertStrings()));
        if (candidate.values.size() > limits_.listItemsMax) {
            fail(token_.at,
                 "a list of more than " + std::to_string(limits_.listItemsMax) + " literals",
                 ErrorCode::tooLarge);
        }
    } while (!error_ && take(Word::comma));
    if (!expect(Word::closing, ", or )")) return std::nullopt;
    set.sort(program_->convertStrings());
    emit({Op::in, {}, program_->addSet(std::move(set)), negated});
    Term term{Type::condition, left.at};
    if (!negated) term.candidate = std::move(candidate);
    return term;
}

Parser::MaybeTerm Parser::like(const Term& left, bool negated) {
    advance();
    if (!left.isName) fail(left.at, "LIKE wants a name before it");
    const std::size_t at = token_.at;
    const auto text = string("the pattern of LIKE, a string,");
    if (!text) return std::nullopt;
    std::string escape;
    const std::size_t escapeAt = token_.at;
    if (take(Word::escapeWord)) {
        auto given = string("the character of ESCAPE, a string,");
        if (!given) return std::nullopt;
        if (characterCount(*given) != 1) fail(escapeAt, "ESCAPE wants exactly one character");
        escape = std::move(*given);
    }
    if (error_) return std::nullopt;
    auto pattern = LikePattern::parse(*text, escape, limits_.searchedPartMax);
    if (!pattern) {
        fail(at, pattern.error().text, pattern.error().code);
        return std::nullopt;
    }
    emit({Op::like, {}, program_->addPattern(std::move(*pattern)), negated});
    return Term{Type::condition, left.at};
}

Parser::MaybeTerm Parser::arithmetic(const Term& left, Op op, MaybeTerm (Parser::*operand)()) {
    constexpr std::string_view kWhat = "only numbers can be computed with";
    advance();
    const MaybeTerm right = (this->*operand)();
    if (!right || !wants(left, Type::number, kWhat) || !wants(*right, Type::number, kWhat))
        return std::nullopt;
    emit({op});
    return Term{Type::number, left.at};
}

Parser::MaybeTerm Parser::sum() {
    MaybeTerm left = product();
    while (left && (token_.word == Word::plus || token_.word == Word::minus)) {
        const Op op = token_.word == Word::plus ? Op::add : Op::subtract;
        left = arithmetic(*left, op, &Parser::product);
    }
    return left;
}

Parser::MaybeTerm Parser::product() {
    MaybeTerm left = signedValue();
    while (left && (token_.word == Word::times || token_.word == Word::divide)) {
        const Op op = token_.word == Word::times ? Op::multiply : Op::divide;
        left = arithmetic(*left, op, &Parser::signedValue);
    }
    return left;
}

Parser::MaybeTerm Parser::signedValue() {
    const std::size_t at = token_.at;
    const bool minus = token_.word == Word::minus;
    if (!minus && token_.word != Word::plus) return primary();
    advance();
    if (token_.word == Word::exact || token_.word == Word::approximate) return number(at, minus);
    if (!deeper(at)) return std::nullopt;
    const MaybeTerm term = signedValue();
    if (!term || !wants(*term, Type::number, "only a number has a sign")) return std::nullopt;
    --depth_;
    emit({minus ? Op::negate : Op::number});
    return Term{Type::number, at};
}

Parser::MaybeTerm Parser::primary() {
    const std::size_t at = token_.at;
    switch (token_.word) {
        case Word::opening:
            return parenthesis();
        case Word::name:
            return name();
        case Word::exact:
        case Word::approximate:
            return number(at, false);
        case Word::text:
        case Word::trueWord:
        case Word::falseWord: {
            const Type type = token_.word == Word::text ? Type::text : Type::boolean;
            emit({Op::pushLiteral, {}, program_->addLiteral(*item())});
            return Term{type, at};
        }
        case Word::nullWord:
            fail(at, "NULL is no value: use IS NULL or IS NOT NULL");
            return std::nullopt;
        default:
            failExpecting("a name, a literal or (");
            return std::nullopt;
    }
}

Parser::MaybeTerm Parser::parenthesis() {
    const std::size_t at = token_.at;
    if (!deeper(at)) return std::nullopt;
    advance();
    MaybeTerm inside = orExpression();
    if (!inside || !expect(Word::closing, "AND, OR or )")) return std::nullopt;
    --depth_;
    inside->at = at;
    return inside;
}

Parser::MaybeTerm Parser::name() {
    if (const auto objection = objectionTo(token_.text); !objection.empty()) {
        fail(token_.at, token_.text + " is " + std::string(objection));
        return std::nullopt;
    }
    Term term{Type::any, token_.at, true};
    emit({Op::pushField, {}, program_->addField(token_.text)});
    advance();
    return term;
}

Parser::MaybeTerm Parser::number(std::size_t at, bool negative) {
    const auto value = numberLiteral(negative);
    if (!value) return std::nullopt;
    emit({Op::pushLiteral, {}, program_->addLiteral(*value)});
    return Term{Type::number, at};
}

std::optional<Operand> Parser::numberLiteral(bool negative) {
    Operand value = Operand::of(negative ? -token_.approximate : token_.approximate);
    if (token_.word == Word::exact) {
        constexpr std::uint64_t kMost = std::uint64_t{1} << 63;
        if (token_.exact == kMost && !negative) {
            fail(token_.at, "a number that does not fit into 64 bits");
            return std::nullopt;
        }
        value = Operand::of(static_cast<std::int64_t>(negative ? 0 - token_.exact : token_.exact));
    } else if (token_.word != Word::approximate) {
        failExpecting("a number");
        return std::nullopt;
    }
    advance();
    return value;
}

std::optional<Operand> Parser::item() {
    if (token_.word == Word::text) {
        const Operand value = program_->keep(std::move(token_.text));
        advance();
        return value;
    }
    if (take(Word::trueWord)) return Operand::of(true);
    if (take(Word::falseWord)) return Operand::of(false);
    if (take(Word::minus)) return numberLiteral(true);
    if (take(Word::plus) || token_.word == Word::exact || token_.word == Word::approximate)
        return numberLiteral(false);
    failExpecting("a literal");
    return std::nullopt;
}

std::optional<std::string> Parser::string(std::string_view what) {
    if (token_.word != Word::text) {
        failExpecting(what);
        return std::nullopt;
    }
    std::string text = std::move(token_.text);
    advance();
    return text;
}

}  // namespace busbar::selector
