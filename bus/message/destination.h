// Where messages go to and come from.
#pragma once

#include "bus/base/result.h"

#include <string>
#include <string_view>

namespace busbar {

enum class DestinationKind : unsigned char { queue, topic, temporaryQueue, temporaryTopic };

/// A name with its kind. Names are UTF-8, 1 to 255 bytes, without control characters; `.` separates
/// levels. `a/b` and names with spaces are fine. Wildcards (`*` one level, `>` or `#` the rest, `+`
/// like `*`) mean something only where one subscribes to topics.
struct Destination {
    DestinationKind kind = DestinationKind::queue;
    std::string name;

    static Destination queue(std::string name) { return {DestinationKind::queue, std::move(name)}; }
    static Destination topic(std::string name) { return {DestinationKind::topic, std::move(name)}; }

    bool isTopic() const {
        return kind == DestinationKind::topic || kind == DestinationKind::temporaryTopic;
    }
    bool isTemporary() const {
        return kind == DestinationKind::temporaryQueue || kind == DestinationKind::temporaryTopic;
    }
    bool operator==(const Destination&) const = default;
    auto operator<=>(const Destination&) const = default;
};

/// "queue", "topic", "temp-queue", "temp-topic".
std::string_view name(DestinationKind kind);

/// "queue://orders", "topic://prices.eur": for logs and for protocols without a spelling of their
/// own.
std::string toUri(const Destination& destination);

/// Checks a name against the rule above. The error says which byte is wrong.
Result<void> checkDestinationName(std::string_view name);

}  // namespace busbar
