#include "bus/selector/like_pattern.h"

#include "bus/selector/identifier.h"

#include <utility>

namespace busbar::selector {
namespace {

bool isContinuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::size_t nextCharacter(std::string_view text, std::size_t at) {
    do ++at;
    while (at < text.size() && isContinuation(text[at]));
    return at;
}

std::size_t previousCharacter(std::string_view text, std::size_t at) {
    do --at;
    while (at > 0 && isContinuation(text[at]));
    return at;
}

}  // namespace

void LikePattern::append(Part& part, std::string_view character) {
    // Wildcards that stand at the end so far turn out to stand before this literal.
    if (part.pieces.empty() || part.skipAtEnd > 0)
        part.pieces.push_back({std::exchange(part.skipAtEnd, 0), {}});
    part.pieces.back().literal += character;
    ++part.characters;
}

void LikePattern::appendAny(Part& part) {
    ++part.skipAtEnd;
    ++part.characters;
}

Result<LikePattern> LikePattern::parse(std::string_view pattern, std::string_view escape,
                                       std::size_t searchedPartMax) {
    std::vector<Part> parts(1);
    for (std::size_t at = 0; at < pattern.size();) {
        std::string_view character = pattern.substr(at, characterAt(pattern, at).size);
        at += character.size();
        if (character == escape) {
            if (at == pattern.size())
                return {ErrorCode::invalidArgument, "the pattern ends with its escape character"};
            character = pattern.substr(at, characterAt(pattern, at).size);
            at += character.size();
            append(parts.back(), character);
        } else if (character == "%") {
            if (parts.size() < 2 || !parts.back().empty()) parts.emplace_back();
        } else if (character == "_") {
            appendAny(parts.back());
        } else {
            append(parts.back(), character);
        }
    }
    LikePattern result;
    if (parts.size() > 1) {
        result.last_ = std::move(parts.back());
        parts.pop_back();
    }
    result.first_ = std::move(parts.front());
    for (std::size_t i = 1; i < parts.size(); ++i) {
        if (!parts[i].plain() && parts[i].characters > searchedPartMax)
            return {ErrorCode::tooLarge, "a part with '_' between two '%' has more than " +
                                             std::to_string(searchedPartMax) + " characters"};
        result.searched_.push_back(std::move(parts[i]));
    }
    return result;
}

std::size_t LikePattern::matchAt(const Part& part, std::string_view text, std::size_t at) {
    const auto skip = [&](std::size_t count) {
        for (; count > 0 && at < text.size(); --count) at = nextCharacter(text, at);
        return count == 0;
    };
    for (const Part::Piece& piece : part.pieces) {
        if (!skip(piece.skip) || !text.substr(at).starts_with(piece.literal)) return kNone;
        at += piece.literal.size();
    }
    return skip(part.skipAtEnd) ? at : kNone;
}

std::size_t LikePattern::find(const Part& part, std::string_view text, std::size_t from) {
    if (part.plain()) {
        const std::string& literal = part.pieces[0].literal;
        const std::size_t at = text.find(literal, from);
        return at == kNone ? kNone : at + literal.size();
    }
    for (std::size_t at = from; at < text.size(); at = nextCharacter(text, at)) {
        if (const std::size_t end = matchAt(part, text, at); end != kNone) return end;
    }
    return kNone;
}

bool LikePattern::endsWith(const Part& part, std::string_view text, std::size_t from) {
    std::size_t at = text.size();
    for (std::size_t i = 0; i < part.characters; ++i) {
        if (at <= from) return false;
        at = previousCharacter(text, at);
    }
    return at >= from && matchAt(part, text, at) == text.size();
}

bool LikePattern::matches(std::string_view text) const {
    std::size_t at = matchAt(first_, text, 0);
    if (at == kNone) return false;
    if (!last_) return at == text.size();
    for (const Part& part : searched_) {
        at = find(part, text, at);
        if (at == kNone) return false;
    }
    return endsWith(*last_, text, at);
}

}  // namespace busbar::selector
