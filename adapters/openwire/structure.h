// Any structure that may stand in a frame, or inside another.
#pragma once

#include "adapters/openwire/command.h"

namespace busbar::openwire {

/// A closed set. Of what ActiveMQ's brokers keep on disk or say among themselves (types 40, 50 to
/// 54, 60 to 65) nothing is known here; such a frame is refused.
struct Structure {
    std::variant<std::monostate, WireFormatInfo, BrokerInfo, ConnectionInfo, SessionInfo,
                 ConsumerInfo, ProducerInfo, TransactionInfo, DestinationInfo,
                 RemoveSubscriptionInfo, KeepAliveInfo, ShutdownInfo, RemoveInfo, ControlCommand,
                 FlushCommand, ConnectionError, ConsumerControl, ConnectionControl, ProducerAck,
                 MessagePull, MessageDispatch, MessageAck, WireMessage, Response, ExceptionResponse,
                 DataResponse, DataArrayResponse, IntegerResponse, SubscriptionInfo,
                 MessageDispatchNotification, NetworkBridgeFilter, BrokerSubscriptionInfo,
                 WireDestination, MessageId, TransactionId, ConnectionId, SessionId, ConsumerId,
                 ProducerId, BrokerId>
        value;  ///< std::monostate: type 0, null

    static bool accepts(std::uint8_t type);
    /// An empty structure of that type; `type` must be accepted.
    static Structure make(std::uint8_t type);
    std::uint8_t type() const;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        std::visit(
            [&](auto& one) {
                using T = std::decay_t<decltype(one)>;
                if constexpr (!std::is_same_v<T, std::monostate>) T::fields(one, v);
            },
            self.value);
    }

    template <class T>
    const T* as() const {
        return std::get_if<T>(&value);
    }
    template <class T>
    T* as() {
        return std::get_if<T>(&value);
    }
};

/// The head of a command; nullptr for what is none (ids, destinations, WireFormatInfo).
const CommandHead* headOf(const Structure& structure);

/// "MessageAck", for errors and logs; "type 77" where there is none.
std::string typeName(std::uint8_t type);

}  // namespace busbar::openwire
