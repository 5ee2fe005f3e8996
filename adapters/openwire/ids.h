// Ids, destinations and transaction ids: the structures that commands refer to each other with, and
// the ones that the marshalling cache holds.
#pragma once

#include "adapters/openwire/fields.h"

#include <variant>

namespace busbar::openwire {

struct BrokerId {
    static constexpr std::uint8_t kType = 124;
    Text value;
    bool operator==(const BrokerId&) const = default;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.text(self.value);
    }
};

struct ConnectionId {
    static constexpr std::uint8_t kType = 120;
    Text value;  ///< "ID:host-41731-1790000000000-1:1"
    bool operator==(const ConnectionId&) const = default;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.text(self.value);
    }
};

struct SessionId {
    static constexpr std::uint8_t kType = 121;
    Text connectionId;
    std::int64_t value = 0;
    bool operator==(const SessionId&) const = default;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.text(self.connectionId);
        v.large(self.value);
    }
};

struct ConsumerId {
    static constexpr std::uint8_t kType = 122;
    Text connectionId;
    std::int64_t sessionId = 0;
    std::int64_t value = 0;
    bool operator==(const ConsumerId&) const = default;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.text(self.connectionId);
        v.large(self.sessionId);
        v.large(self.value);
    }
};

struct ProducerId {
    static constexpr std::uint8_t kType = 123;
    Text connectionId;
    std::int64_t value = 0;
    std::int64_t sessionId = 0;
    bool operator==(const ProducerId&) const = default;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.text(self.connectionId);
        v.large(self.value);  // before the session: not as in ConsumerId
        v.large(self.sessionId);
    }
};

struct MessageId {
    static constexpr std::uint8_t kType = 110;
    Text textView;  ///< set where no OpenWire client made the id; version 10 on
    Ref<ProducerId> producerId;
    std::int64_t producerSequenceId = 0;
    std::int64_t brokerSequenceId = 0;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        if (v.since(10)) v.text(self.textView);
        v.cached(self.producerId);
        v.large(self.producerSequenceId);
        v.large(self.brokerSequenceId);
    }
};

/// Types 100 (queue), 101 (topic), 102 (temporary queue), 103 (temporary topic). The name may be
/// composite ("a,topic://b"); see destinations.h.
struct WireDestination {
    static constexpr std::uint8_t kTypeMin = 100, kTypeMax = 103;
    std::uint8_t wireType = kTypeMin;
    Text physicalName;
    bool operator==(const WireDestination&) const = default;

    static bool accepts(std::uint8_t type) { return type >= kTypeMin && type <= kTypeMax; }
    static WireDestination make(std::uint8_t type) { return {type, {}}; }
    std::uint8_t type() const { return wireType; }

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.text(self.physicalName);
    }
};

struct LocalTransactionId {
    static constexpr std::uint8_t kType = 111;
    std::int64_t value = 0;
    Ref<ConnectionId> connectionId;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.large(self.value);
        v.cached(self.connectionId);
    }
};

struct XaTransactionId {
    static constexpr std::uint8_t kType = 112;
    std::int32_t formatId = 0;
    Blob globalTransactionId;
    Blob branchQualifier;
    bool operator==(const XaTransactionId&) const = default;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.number(self.formatId);
        v.blob(self.globalTransactionId);
        v.blob(self.branchQualifier);
    }
};

struct TransactionId {
    std::variant<LocalTransactionId, XaTransactionId> id;

    static bool accepts(std::uint8_t type) {
        return type == LocalTransactionId::kType || type == XaTransactionId::kType;
    }
    static TransactionId make(std::uint8_t type) {
        if (type == LocalTransactionId::kType) return {LocalTransactionId{}};
        return {XaTransactionId{}};
    }
    std::uint8_t type() const {
        return id.index() == 0 ? LocalTransactionId::kType : XaTransactionId::kType;
    }

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        std::visit([&](auto& one) { std::decay_t<decltype(one)>::fields(one, v); }, self.id);
    }
};

bool operator==(const TransactionId& a, const TransactionId& b);

/// What the marshalling cache holds, and what a RemoveInfo may name.
using CachedValue =
    std::variant<std::monostate, Ref<BrokerId>, Ref<ConnectionId>, Ref<SessionId>, Ref<ConsumerId>,
                 Ref<ProducerId>, Ref<WireDestination>, Ref<TransactionId>>;

/// Whether a structure T may come with this type code.
template <class T>
bool acceptsType(std::uint8_t type) {
    if constexpr (requires { T::kType; })
        return type == T::kType;
    else
        return T::accepts(type);
}

template <class T>
std::uint8_t typeOf(const T& value) {
    if constexpr (requires { T::kType; })
        return T::kType;
    else
        return value.type();
}

template <class T>
T makeOfType(std::uint8_t type) {
    if constexpr (requires { T::kType; })
        return T{};
    else
        return T::make(type);
}

}  // namespace busbar::openwire
