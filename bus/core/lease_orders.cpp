#include "bus/core/lease_orders.h"

#include "bus/core/commands.h"
#include "bus/message/value_text.h"

#include <array>
#include <utility>

namespace busbar {
namespace {

constexpr std::size_t kReasonMax = 1024;
constexpr Milliseconds kDelayMax{30ll * 24 * 3600 * 1000};

using Kind = LeaseOrder::Kind;
constexpr std::array<std::pair<std::string_view, Kind>, 5> kKinds{{{"extend", Kind::extend},
                                                                   {"accept", Kind::accept},
                                                                   {"release", Kind::release},
                                                                   {"fail", Kind::fail},
                                                                   {"reject", Kind::reject}}};

std::string textOf(const Message& message, std::string_view name) {
    const Value* value = message.properties.find(name);
    return value ? toText(*value) : std::string();
}

/// `least` where there is none.
Result<Milliseconds> timeOf(const Message& message, std::string_view name, Milliseconds least,
                            Milliseconds most) {
    const std::string text = textOf(message, name);
    if (text.empty()) return least;
    const auto value = valueFromText("long", text);
    const auto* number = value ? std::get_if<std::int64_t>(&*value) : nullptr;
    if (!number || *number < least.count() || *number > most.count()) {
        return {ErrorCode::invalidArgument, std::string(name) + " is '" + text.substr(0, 40) +
                                                "': milliseconds from " +
                                                std::to_string(least.count()) + " to " +
                                                std::to_string(most.count()) + " are expected"};
    }
    return Milliseconds(*number);
}

Result<Kind> kindOf(const Message& message) {
    const std::string text = textOf(message, "BusbarOrder");
    for (const auto& [name, kind] : kKinds) {
        if (text == name) return kind;
    }
    return {ErrorCode::invalidArgument,
            "BusbarOrder is '" + text.substr(0, 40) +
                "': extend, accept, release, fail or reject is expected"};
}

}  // namespace

bool isLeaseOrder(const Message& message) {
    return message.destination.kind == DestinationKind::queue &&
           message.destination.name == kLeaseQueue;
}

Result<LeaseOrder> readLeaseOrder(const Message& message) {
    if (message.recurrence || message.deliverAt != WallTime{}) {
        return {ErrorCode::invalidArgument, "an order to " + std::string(kLeaseQueue) +
                                                " is carried out at once: no delay, no "
                                                "schedule"};
    }
    LeaseOrder order;
    order.token = textOf(message, kLeaseProperty);
    if (order.token.empty()) {
        return {ErrorCode::invalidArgument,
                "an order to " + std::string(kLeaseQueue) + " needs the property " +
                    std::string(kLeaseProperty) + ", as it came with the message"};
    }
    const auto kind = kindOf(message);
    if (!kind) return kind.error();
    order.kind = *kind;
    if (order.kind == Kind::extend) {
        if (textOf(message, "BusbarLeaseMs").empty()) {
            return {ErrorCode::invalidArgument,
                    "BusbarOrder 'extend' needs BusbarLeaseMs: for how "
                    "many milliseconds from now"};
        }
        const auto lease = timeOf(message, "BusbarLeaseMs", Milliseconds(1), kLeaseMax);
        if (!lease) return lease.error();
        order.lease = *lease;
    }
    const auto delay = timeOf(message, "BusbarDelayMs", Milliseconds(0), kDelayMax);
    if (!delay) return delay.error();
    order.delay = *delay;
    order.reason = textOf(message, "BusbarReason").substr(0, kReasonMax);
    return order;
}

}  // namespace busbar
