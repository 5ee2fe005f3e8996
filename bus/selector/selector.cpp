#include "bus/selector/selector.h"

#include "bus/selector/identifier.h"
#include "bus/selector/parser.h"
#include "bus/selector/program.h"

#include <utility>

namespace busbar {
namespace {

using selector::characterAt;
using selector::characterCount;

/// The prefixes that are options, as ActiveMQ and Artemis have them.
struct Options {
    bool convertStrings = false;
    bool hyphens = false;
    std::size_t size = 0;  ///< bytes of the text that they take
};

Options readOptions(std::string_view text) {
    Options options;
    const auto take = [&](std::string_view prefix) {
        if (!text.substr(options.size).starts_with(prefix)) return false;
        options.size += prefix.size();
        return true;
    };
    for (;;) {
        if (take("convert_string_expressions:"))
            options.convertStrings = true;
        else if (take("no_convert_string_expressions:"))
            options.convertStrings = false;
        else if (take("hyphenated_props:"))
            options.hyphens = true;
        else if (take("no_hyphenated_props:"))
            options.hyphens = false;
        else
            return options;
    }
}

/// The first byte that does not belong to a character of UTF-8, or the text's size.
std::size_t firstBadByte(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t size = characterAt(text, at).size;
        if (size == 0) break;
        at += size;
    }
    return at;
}

Error notUtf8(std::string_view text, std::size_t at) {
    return {ErrorCode::invalidArgument, "selector, column " +
                                            std::to_string(characterCount(text.substr(0, at)) + 1) +
                                            ": a byte that is no UTF-8"};
}

}  // namespace

Selector::Selector(std::string text, std::unique_ptr<const selector::Program> program,
                   std::optional<EqualityKey> equalityKey)
    : text_(std::move(text)), program_(std::move(program)), equalityKey_(std::move(equalityKey)) {}

Selector::~Selector() = default;

Result<std::shared_ptr<const Selector>> Selector::parse(std::string_view text,
                                                        const SelectorLimits& limits) {
    if (text.size() > limits.textBytesMax) {
        return {ErrorCode::tooLarge, "a selector of " + std::to_string(text.size()) +
                                         " bytes: at most " + std::to_string(limits.textBytesMax) +
                                         " are allowed"};
    }
    if (const std::size_t bad = firstBadByte(text); bad != text.size()) return notUtf8(text, bad);
    const Options options = readOptions(text);
    auto parsed =
        selector::Parser(text, options.size, options.convertStrings, options.hyphens, limits).run();
    if (!parsed) return parsed.error();
    return std::shared_ptr<const Selector>(new Selector(
        std::string(text), std::move(parsed->program), std::move(parsed->equalityKey)));
}

bool Selector::matches(const Message& message) const {
    return program_->run(message) == selector::Truth::yes;
}

}  // namespace busbar
