#include "adapters/amqp/address.h"

namespace busbar::amqp {
namespace {

constexpr DestinationKind kKinds[] = {DestinationKind::queue, DestinationKind::topic,
                                      DestinationKind::temporaryQueue,
                                      DestinationKind::temporaryTopic};

/// Takes "KIND://" or "/KIND/" off the front.
bool takePrefix(std::string_view& address, std::string_view kind) {
    if (address.starts_with(kind) && address.substr(kind.size()).starts_with("://")) {
        address.remove_prefix(kind.size() + 3);
        return true;
    }
    if (address.starts_with('/') && address.substr(1).starts_with(kind) &&
        address.substr(1 + kind.size()).starts_with('/')) {
        address.remove_prefix(kind.size() + 2);
        return true;
    }
    return false;
}

}  // namespace

Result<Destination> toDestination(std::string_view address, DestinationKind kind) {
    for (const DestinationKind known : kKinds) {
        if (takePrefix(address, name(known))) {
            kind = known;
            break;
        }
    }
    if (auto checked = checkDestinationName(address); !checked) return checked.error();
    return Destination{kind, std::string(address)};
}

std::string toAddress(const Destination& destination) {
    return destination.kind == DestinationKind::queue ? destination.name : toUri(destination);
}

std::string_view capabilityOf(DestinationKind kind) {
    switch (kind) {
        case DestinationKind::queue:
            return "queue";
        case DestinationKind::topic:
            return "topic";
        case DestinationKind::temporaryQueue:
            return "temporary-queue";
        case DestinationKind::temporaryTopic:
            return "temporary-topic";
    }
    return "queue";
}

std::optional<DestinationKind> kindOfCapability(std::string_view capability) {
    for (const DestinationKind kind : kKinds) {
        if (capability == capabilityOf(kind)) return kind;
    }
    return std::nullopt;
}

}  // namespace busbar::amqp
