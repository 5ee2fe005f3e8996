#include "adapters/openwire/structure.h"

#include <array>

namespace busbar::openwire {
namespace {

struct NamedType {
    std::uint8_t type;
    const char* name;
};

constexpr NamedType kNames[] = {
    {0, "null"},
    {1, "WireFormatInfo"},
    {2, "BrokerInfo"},
    {3, "ConnectionInfo"},
    {4, "SessionInfo"},
    {5, "ConsumerInfo"},
    {6, "ProducerInfo"},
    {7, "TransactionInfo"},
    {8, "DestinationInfo"},
    {9, "RemoveSubscriptionInfo"},
    {10, "KeepAliveInfo"},
    {11, "ShutdownInfo"},
    {12, "RemoveInfo"},
    {14, "ControlCommand"},
    {15, "FlushCommand"},
    {16, "ConnectionError"},
    {17, "ConsumerControl"},
    {18, "ConnectionControl"},
    {19, "ProducerAck"},
    {20, "MessagePull"},
    {21, "MessageDispatch"},
    {22, "MessageAck"},
    {23, "ActiveMQMessage"},
    {24, "ActiveMQBytesMessage"},
    {25, "ActiveMQMapMessage"},
    {26, "ActiveMQObjectMessage"},
    {27, "ActiveMQStreamMessage"},
    {28, "ActiveMQTextMessage"},
    {29, "ActiveMQBlobMessage"},
    {30, "Response"},
    {31, "ExceptionResponse"},
    {32, "DataResponse"},
    {33, "DataArrayResponse"},
    {34, "IntegerResponse"},
    {55, "SubscriptionInfo"},
    {90, "MessageDispatchNotification"},
    {91, "NetworkBridgeFilter"},
    {92, "BrokerSubscriptionInfo"},
    {100, "ActiveMQQueue"},
    {101, "ActiveMQTopic"},
    {102, "ActiveMQTempQueue"},
    {103, "ActiveMQTempTopic"},
    {110, "MessageId"},
    {111, "LocalTransactionId"},
    {112, "XATransactionId"},
    {120, "ConnectionId"},
    {121, "SessionId"},
    {122, "ConsumerId"},
    {123, "ProducerId"},
    {124, "BrokerId"},
};

using Variant = decltype(Structure::value);
constexpr std::size_t kNone = std::variant_npos;

template <std::size_t I>
constexpr std::size_t alternativeFor(std::uint8_t type) {
    if constexpr (I == std::variant_size_v<Variant>) {
        return kNone;
    } else {
        using T = std::variant_alternative_t<I, Variant>;
        if constexpr (!std::is_same_v<T, std::monostate>) {
            if (acceptsType<T>(type)) return I;
        }
        return alternativeFor<I + 1>(type);
    }
}

using Maker = Structure (*)(std::uint8_t);

template <std::size_t I>
Structure makeAlternative(std::uint8_t type) {
    using T = std::variant_alternative_t<I, Variant>;
    if constexpr (std::is_same_v<T, std::monostate>)
        return {};
    else
        return {Variant(std::in_place_index<I>, makeOfType<T>(type))};
}

template <std::size_t... I>
constexpr std::array<Maker, sizeof...(I)> makers(std::index_sequence<I...>) {
    return {&makeAlternative<I>...};
}

constexpr auto kMakers = makers(std::make_index_sequence<std::variant_size_v<Variant>>());

}  // namespace

bool Structure::accepts(std::uint8_t type) {
    return alternativeFor<0>(type) != kNone;
}

Structure Structure::make(std::uint8_t type) {
    return kMakers[alternativeFor<0>(type)](type);
}

std::uint8_t Structure::type() const {
    return std::visit(
        [](const auto& one) -> std::uint8_t {
            using T = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<T, std::monostate>)
                return 0;
            else
                return typeOf(one);
        },
        value);
}

const CommandHead* headOf(const Structure& structure) {
    return std::visit(
        [](const auto& one) -> const CommandHead* {
            using T = std::decay_t<decltype(one)>;
            if constexpr (std::is_base_of_v<CommandHead, T>)
                return &one;
            else
                return nullptr;
        },
        structure.value);
}

std::string typeName(std::uint8_t type) {
    for (const auto& named : kNames) {
        if (named.type == type) return named.name;
    }
    return "type " + std::to_string(type);
}

bool operator==(const TransactionId& a, const TransactionId& b) {
    if (a.id.index() != b.id.index()) return false;
    const auto* local = std::get_if<LocalTransactionId>(&a.id);
    if (!local) return std::get<XaTransactionId>(a.id) == std::get<XaTransactionId>(b.id);
    const auto& other = std::get<LocalTransactionId>(b.id);
    if (local->value != other.value) return false;
    const auto& x = local->connectionId;
    const auto& y = other.connectionId;
    return x == y || (x && y && *x == *y);
}

}  // namespace busbar::openwire
