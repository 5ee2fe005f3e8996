#include "adapters/openwire/destinations.h"

#include <algorithm>
#include <charconv>

namespace busbar::openwire {
namespace {

struct Kind {
    DestinationKind kind;
    std::uint8_t type;
    std::string_view prefix;
};

constexpr Kind kKinds[] = {
    {DestinationKind::queue, 100, "queue://"},
    {DestinationKind::topic, 101, "topic://"},
    {DestinationKind::temporaryQueue, 102, "temp-queue://"},
    {DestinationKind::temporaryTopic, 103, "temp-topic://"},
};

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Cuts the text up to `separator` off its front.
std::string_view cut(std::string_view& text, char separator) {
    const auto at = std::min(text.find(separator), text.size());
    const auto part = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return part;
}

Result<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        unsigned code = 0;
        const auto digits = text.substr(i + 1, 2);
        const auto end = digits.data() + digits.size();
        if (digits.size() != 2 || std::from_chars(digits.data(), end, code, 16).ptr != end) {
            return {ErrorCode::malformed, "bad escape in the options of a destination"};
        }
        out += static_cast<char>(code);
        i += 2;
    }
    return out;
}

Result<Destination> one(std::string_view text, DestinationKind kind) {
    for (const auto& known : kKinds) {
        if (!text.starts_with(known.prefix)) continue;
        kind = known.kind;
        text.remove_prefix(known.prefix.size());
        break;
    }
    if (const auto good = checkDestinationName(text); !good) return good.error();
    return Destination{kind, std::string(text)};
}

Result<void> readOptions(std::string_view query, Target& target) {
    while (!query.empty()) {
        std::string_view pair = cut(query, '&');
        if (pair.empty()) continue;
        auto key = unescape(cut(pair, '='));
        if (!key) return key.error();
        auto value = unescape(pair);
        if (!value) return value.error();
        target.options.emplace_back(std::move(*key), std::move(*value));
    }
    return {};
}

bool set(bool& field, std::string_view value) {
    field = value == "true";
    return field || value == "false";
}
template <class T>
bool set(T& field, std::string_view value) {
    const auto end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, field);
    return error == std::errc() && at == end;
}
bool set(Text& field, std::string_view value) {
    field = std::string(value);
    return true;
}

bool setOption(ConsumerInfo& info, std::string_view name, std::string_view value) {
    if (name == "prefetchSize") return set(info.prefetchSize, value) && info.prefetchSize >= 0;
    if (name == "exclusive") return set(info.exclusive, value);
    if (name == "priority") return set(info.priority, value);
    if (name == "selector") return set(info.selector, value);
    if (name == "noLocal") return set(info.noLocal, value);
    if (name == "retroactive") return set(info.retroactive, value);
    if (name == "dispatchAsync") return set(info.dispatchAsync, value);
    if (name == "maximumPendingMessageLimit") return set(info.maximumPendingMessageLimit, value);
    if (name == "browser") return set(info.browser, value);
    return false;
}

}  // namespace

Result<Target> toTarget(const WireDestination& destination) {
    std::string_view rest =
        destination.physicalName ? *destination.physicalName : std::string_view();
    std::string_view names = cut(rest, '?');
    Target target;
    if (const auto read = readOptions(rest, target); !read) return read.error();
    const DestinationKind kind = kKinds[destination.wireType - WireDestination::kTypeMin].kind;
    while (!names.empty()) {
        const auto name = trim(cut(names, ','));
        if (name.empty()) continue;
        auto made = one(name, kind);
        if (!made) return made.error();
        auto& all = target.destinations;
        if (std::find(all.begin(), all.end(), *made) != all.end()) continue;
        if (all.size() == kCompositeMax) {
            return {ErrorCode::tooLarge, "a composite destination has at most 64 parts"};
        }
        all.push_back(std::move(*made));
    }
    if (target.destinations.empty()) {
        return {ErrorCode::invalidArgument, "a destination needs a name"};
    }
    return target;
}

Result<Destination> toDestination(const WireDestination& destination) {
    auto target = toTarget(destination);
    if (!target) return target.error();
    if (target->destinations.size() > 1) {
        return {
            ErrorCode::invalidArgument,
            "'" + *destination.physicalName + "' names several destinations, where one is needed"};
    }
    return std::move(target->destinations.front());
}

WireDestination toWire(const Destination& destination) {
    const auto known = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const Kind& k) { return k.kind == destination.kind; });
    return {known->type, destination.name};
}

Result<void> applyConsumerOptions(const Target& target, ConsumerInfo& consumer) {
    constexpr std::string_view kPrefix = "consumer.";
    for (const auto& [key, value] : target.options) {
        if (!key.starts_with(kPrefix)) continue;
        if (!setOption(consumer, std::string_view(key).substr(kPrefix.size()), value)) {
            return {ErrorCode::invalidArgument,
                    "the option '" + key + "=" + value + "' of a destination is not one of ours"};
        }
    }
    return {};
}

bool isAdvisory(const Destination& destination) {
    return destination.kind == DestinationKind::topic &&
           destination.name.starts_with("ActiveMQ.Advisory.");
}

}  // namespace busbar::openwire
