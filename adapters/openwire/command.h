// The commands of OpenWire 12 (and 11, 10, 9 as far as they differ), each with its field table.
// ActiveMQ's names, so that they can be looked up there; fields in the order of the wire.
#pragma once

#include "adapters/openwire/ids.h"

#include <array>

namespace busbar::openwire {

struct Structure;  ///< any structure at all: structure.h

// --- The connection ---------------------------------------------------------------------------

/// The first frame each way; always loose and without the cache. wire_format.h reads its
/// properties.
struct WireFormatInfo {
    static constexpr std::uint8_t kType = 1;
    static constexpr std::array<char, 8> kMagic{'A', 'c', 't', 'i', 'v', 'e', 'M', 'Q'};
    std::array<char, 8> magic = kMagic;
    std::int32_t version = 12;
    Blob marshalledProperties;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.magic(self.magic);
        v.number(self.version);
        v.blob(self.marshalledProperties);
    }
};

struct BrokerInfo : CommandHead {
    static constexpr std::uint8_t kType = 2;
    Ref<BrokerId> brokerId;
    Text brokerUrl;
    Array<BrokerInfo> peerBrokerInfos;
    Text brokerName;
    bool slaveBroker = false, masterBroker = false, faultTolerantConfiguration = false;
    bool duplexConnection = false, networkConnection = false;
    std::int64_t connectionId = 0;
    Text brokerUploadUrl;
    Text networkProperties;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.brokerId);
        v.text(self.brokerUrl);
        v.objects(self.peerBrokerInfos);
        v.text(self.brokerName);
        v.flag(self.slaveBroker);
        v.flag(self.masterBroker);
        v.flag(self.faultTolerantConfiguration);
        v.flag(self.duplexConnection);
        v.flag(self.networkConnection);
        v.large(self.connectionId);
        v.text(self.brokerUploadUrl);
        v.text(self.networkProperties);
    }
};

struct ConnectionInfo : CommandHead {
    static constexpr std::uint8_t kType = 3;
    Ref<ConnectionId> connectionId;
    Text clientId;
    Text password;
    Text userName;
    Array<BrokerId> brokerPath;
    bool brokerMasterConnector = false, manageable = false, clientMaster = true;
    bool faultTolerant = false;
    bool failoverReconnect = false;  ///< the client replays its state after a lost connection
    Text clientIp;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.connectionId);
        v.text(self.clientId);
        v.text(self.password);
        v.text(self.userName);
        v.objects(self.brokerPath);
        v.flag(self.brokerMasterConnector);
        v.flag(self.manageable);
        v.flag(self.clientMaster);
        v.flag(self.faultTolerant);
        v.flag(self.failoverReconnect);
        v.text(self.clientIp);
    }
};

struct ConnectionControl : CommandHead {
    static constexpr std::uint8_t kType = 18;
    bool close = false, exit = false, faultTolerant = false, resume = false, suspend = false;
    Text connectedBrokers;
    Text reconnectTo;
    bool rebalanceConnection = false;
    Blob token;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.flag(self.close);
        v.flag(self.exit);
        v.flag(self.faultTolerant);
        v.flag(self.resume);
        v.flag(self.suspend);
        v.text(self.connectedBrokers);
        v.text(self.reconnectTo);
        v.flag(self.rebalanceConnection);
        v.blob(self.token);
    }
};

struct StackTraceElement {
    Text className, methodName, fileName;
    std::int32_t line = 0;
};

/// An error as the wire has it: names and texts, never more than that to us. No class is ever
/// looked up or made by such a name (CVE-2023-46604).
struct Throwable {
    Text className;  ///< what we send is one of errors.h
    Text message;
    std::vector<StackTraceElement> stackTrace;  ///< this and `cause`: with StackTraceEnabled only
    Ref<Throwable> cause;
};

struct ConnectionError : CommandHead {
    static constexpr std::uint8_t kType = 16;
    Ref<Throwable> exception;
    Ref<ConnectionId> connectionId;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.error(self.exception);
        v.object(self.connectionId);
    }
};

struct KeepAliveInfo : CommandHead {
    static constexpr std::uint8_t kType = 10;
};
struct ShutdownInfo : CommandHead {
    static constexpr std::uint8_t kType = 11;
};
struct FlushCommand : CommandHead {
    static constexpr std::uint8_t kType = 15;
};

struct ControlCommand : CommandHead {
    static constexpr std::uint8_t kType = 14;
    Text command;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.text(self.command);
    }
};

// --- What lives on a connection
// -------------------------------------------------------------------

struct SessionInfo : CommandHead {
    static constexpr std::uint8_t kType = 4;
    Ref<SessionId> sessionId;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.sessionId);
    }
};

struct ConsumerInfo : CommandHead {
    static constexpr std::uint8_t kType = 5;
    Ref<ConsumerId> consumerId;
    bool browser = false;
    Ref<WireDestination> destination;
    std::int32_t prefetchSize = 0;
    std::int32_t maximumPendingMessageLimit = 0;
    bool dispatchAsync = false;
    Text selector;
    Text clientId;
    Text subscriptionName;
    bool noLocal = false, exclusive = false, retroactive = false;
    std::int8_t priority = 0;
    Array<BrokerId> brokerPath;
    Ref<Structure> additionalPredicate;  ///< networks of brokers only
    bool networkSubscription = false, optimizedAcknowledge = false, noRangeAcks = false;
    Array<ConsumerId> networkConsumerPath;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.consumerId);
        v.flag(self.browser);
        v.cached(self.destination);
        v.number(self.prefetchSize);
        v.number(self.maximumPendingMessageLimit);
        v.flag(self.dispatchAsync);
        v.text(self.selector);
        if (v.since(10)) v.text(self.clientId);
        v.text(self.subscriptionName);
        v.flag(self.noLocal);
        v.flag(self.exclusive);
        v.flag(self.retroactive);
        v.octet(self.priority);
        v.objects(self.brokerPath);
        v.object(self.additionalPredicate);
        v.flag(self.networkSubscription);
        v.flag(self.optimizedAcknowledge);
        v.flag(self.noRangeAcks);
        v.objects(self.networkConsumerPath);
    }
};

struct ProducerInfo : CommandHead {
    static constexpr std::uint8_t kType = 6;
    Ref<ProducerId> producerId;
    Ref<WireDestination> destination;  ///< null: sends to many
    Array<BrokerId> brokerPath;
    bool dispatchAsync = false;
    std::int32_t windowSize = 0;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.producerId);
        v.cached(self.destination);
        v.objects(self.brokerPath);
        v.flag(self.dispatchAsync);
        v.number(self.windowSize);
    }
};

struct DestinationInfo : CommandHead {
    static constexpr std::uint8_t kType = 8;
    static constexpr std::int8_t kAdd = 0, kRemove = 1;
    Ref<ConnectionId> connectionId;
    Ref<WireDestination> destination;
    std::int8_t operationType = kAdd;
    std::int64_t timeout = 0;
    Array<BrokerId> brokerPath;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.connectionId);
        v.cached(self.destination);
        v.octet(self.operationType);
        v.large(self.timeout);
        v.objects(self.brokerPath);
    }
};

struct RemoveInfo : CommandHead {
    static constexpr std::uint8_t kType = 12;
    CachedValue objectId;  ///< a connection, session, consumer or producer
    std::int64_t lastDeliveredSequenceId = 0;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.objectId);
        v.large(self.lastDeliveredSequenceId);
    }
};

struct RemoveSubscriptionInfo : CommandHead {
    static constexpr std::uint8_t kType = 9;
    Ref<ConnectionId> connectionId;
    Text subscriptionName;
    Text clientId;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.connectionId);
        v.text(self.subscriptionName);
        v.text(self.clientId);
    }
};

struct SubscriptionInfo {
    static constexpr std::uint8_t kType = 55;
    Text clientId;
    Ref<WireDestination> destination;
    Text selector;
    Text subscriptionName;
    Ref<WireDestination> subscribedDestination;
    bool noLocal = false;  ///< version 11 on

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.text(self.clientId);
        v.cached(self.destination);
        v.text(self.selector);
        v.text(self.subscriptionName);
        v.object(self.subscribedDestination);
        if (v.since(11)) v.flag(self.noLocal);
    }
};

struct TransactionInfo : CommandHead {
    static constexpr std::uint8_t kType = 7;
    enum Operation : std::int8_t {
        kBegin,
        kPrepare,
        kCommitOnePhase,
        kCommitTwoPhase,
        kRollback,
        kRecover,
        kForget,
        kEnd
    };
    Ref<ConnectionId> connectionId;
    Ref<TransactionId> transactionId;
    std::int8_t operation = kBegin;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.connectionId);
        v.cached(self.transactionId);
        v.octet(self.operation);
    }
};

struct ConsumerControl : CommandHead {
    static constexpr std::uint8_t kType = 17;
    Ref<WireDestination> destination;
    bool close = false;
    Ref<ConsumerId> consumerId;
    std::int32_t prefetch = 0;
    bool flush = false, start = false, stop = false;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.object(self.destination);
        v.flag(self.close);
        v.object(self.consumerId);
        v.number(self.prefetch);
        v.flag(self.flush);
        v.flag(self.start);
        v.flag(self.stop);
    }
};

// --- Messages and what is done with them
// ------------------------------------------------------------

/// Types 23 to 29. `content` and `marshalledProperties` are opaque here; mapping.h reads them.
struct WireMessage : CommandHead {
    enum Kind : std::uint8_t { kPlain = 23, kBytes, kMap, kObject, kStream, kText, kBlob };
    Kind kind = kPlain;
    Ref<ProducerId> producerId;
    Ref<WireDestination> destination;
    Ref<TransactionId> transactionId;
    Ref<WireDestination> originalDestination;
    Ref<MessageId> messageId;
    Ref<TransactionId> originalTransactionId;
    Text groupId;
    std::int32_t groupSequence = 0;
    Text correlationId;
    bool persistent = false;
    std::int64_t expiration = 0;  ///< ms since 1970; 0: never
    std::int8_t priority = 4;
    Ref<WireDestination> replyTo;
    std::int64_t timestamp = 0;
    Text jmsType;
    Blob content;
    Blob marshalledProperties;
    Ref<Structure> dataStructure;  ///< advisory messages: the command they tell of
    Ref<ConsumerId> targetConsumerId;
    bool compressed = false;
    std::int32_t redeliveryCounter = 0;
    Array<BrokerId> brokerPath;
    std::int64_t arrival = 0;
    Text userId;
    bool receivedByDfBridge = false, droppable = false;
    Array<BrokerId> cluster;
    std::int64_t brokerInTime = 0, brokerOutTime = 0;
    bool groupFirstForConsumer = false;  ///< version 10 on, as is ConsumerInfo::clientId
    Text remoteBlobUrl, mimeType;        ///< kBlob only
    bool deletedByBroker = false;

    static bool accepts(std::uint8_t type) { return type >= kPlain && type <= kBlob; }
    static WireMessage make(std::uint8_t type) {
        WireMessage made;
        made.kind = static_cast<Kind>(type);
        return made;
    }
    std::uint8_t type() const { return kind; }

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.producerId);
        v.cached(self.destination);
        v.cached(self.transactionId);
        v.cached(self.originalDestination);
        v.object(self.messageId);
        v.cached(self.originalTransactionId);
        v.text(self.groupId);
        v.number(self.groupSequence);
        v.text(self.correlationId);
        v.flag(self.persistent);
        v.large(self.expiration);
        v.octet(self.priority);
        v.object(self.replyTo);
        v.large(self.timestamp);
        v.text(self.jmsType);
        v.blob(self.content);
        v.blob(self.marshalledProperties);
        v.object(self.dataStructure);
        v.cached(self.targetConsumerId);
        v.flag(self.compressed);
        v.number(self.redeliveryCounter);
        v.objects(self.brokerPath);
        v.large(self.arrival);
        v.text(self.userId);
        v.flag(self.receivedByDfBridge);
        v.flag(self.droppable);
        v.objects(self.cluster);
        v.large(self.brokerInTime);
        v.large(self.brokerOutTime);
        if (v.since(10)) v.flag(self.groupFirstForConsumer);
        if (self.kind != kBlob) return;
        v.text(self.remoteBlobUrl);
        v.text(self.mimeType);
        v.flag(self.deletedByBroker);
    }
};

struct MessageDispatch : CommandHead {
    static constexpr std::uint8_t kType = 21;
    Ref<ConsumerId> consumerId;
    Ref<WireDestination> destination;
    Ref<WireMessage> message;  ///< null: end of a browse, or nothing there for a pull
    std::int32_t redeliveryCounter = 0;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.consumerId);
        v.cached(self.destination);
        v.object(self.message);
        v.number(self.redeliveryCounter);
    }
};

struct MessageAck : CommandHead {
    static constexpr std::uint8_t kType = 22;
    enum Kind : std::int8_t {
        kDelivered,    ///< the client has it: only opens the window
        kPoison,       ///< the client gives up on it: dead letter
        kStandard,     ///< consumed, first to last
        kRedelivered,  ///< the client delivers it again itself
        kIndividual,   ///< consumed, the last one only
        kUnmatched,    ///< a durable subscription's selector does not match
        kExpired
    };
    Ref<WireDestination> destination;
    Ref<TransactionId> transactionId;
    Ref<ConsumerId> consumerId;
    std::int8_t ackKind = kDelivered;
    Ref<MessageId> firstMessageId;
    Ref<MessageId> lastMessageId;
    std::int32_t messageCount = 0;
    Ref<Throwable> poisonCause;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.destination);
        v.cached(self.transactionId);
        v.cached(self.consumerId);
        v.octet(self.ackKind);
        v.object(self.firstMessageId);
        v.object(self.lastMessageId);
        v.number(self.messageCount);
        v.error(self.poisonCause);
    }
};

struct MessagePull : CommandHead {
    static constexpr std::uint8_t kType = 20;
    Ref<ConsumerId> consumerId;
    Ref<WireDestination> destination;
    std::int64_t timeout = 0;  ///< ms; 0: for ever; -1: do not wait
    Text correlationId;
    Ref<MessageId> messageId;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.consumerId);
        v.cached(self.destination);
        v.large(self.timeout);
        v.text(self.correlationId);
        v.object(self.messageId);
    }
};

struct MessageDispatchNotification : CommandHead {
    static constexpr std::uint8_t kType = 90;
    Ref<ConsumerId> consumerId;
    Ref<WireDestination> destination;
    std::int64_t deliverySequenceId = 0;
    Ref<MessageId> messageId;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.cached(self.consumerId);
        v.cached(self.destination);
        v.large(self.deliverySequenceId);
        v.object(self.messageId);
    }
};

struct ProducerAck : CommandHead {
    static constexpr std::uint8_t kType = 19;
    Ref<ProducerId> producerId;
    std::int32_t size = 0;  ///< bytes given back to the producer's window

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.object(self.producerId);
        v.number(self.size);
    }
};

// --- Answers
// ----------------------------------------------------------------------------------------

struct Response : CommandHead {
    static constexpr std::uint8_t kType = 30;
    std::int32_t correlationId = 0;  ///< the commandId that this answers

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.number(self.correlationId);
    }
};

struct ExceptionResponse : Response {
    static constexpr std::uint8_t kType = 31;
    Ref<Throwable> exception;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        Response::fields(self, v);
        v.error(self.exception);
    }
};

struct DataResponse : Response {
    static constexpr std::uint8_t kType = 32;
    Ref<Structure> data;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        Response::fields(self, v);
        v.object(self.data);
    }
};

/// Answers recover: the prepared XA transactions.
struct DataArrayResponse : Response {
    static constexpr std::uint8_t kType = 33;
    Array<Structure> data;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        Response::fields(self, v);
        v.objects(self.data);
    }
};

/// Answers prepare: XA_OK (0) or XA_RDONLY (3).
struct IntegerResponse : Response {
    static constexpr std::uint8_t kType = 34;
    std::int32_t result = 0;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        Response::fields(self, v);
        v.number(self.result);
    }
};

// --- Networks of brokers: read and written, not served
// ------------------------------------------------

struct NetworkBridgeFilter {
    static constexpr std::uint8_t kType = 91;
    Ref<BrokerId> networkBrokerId;
    std::int32_t messageTtl = 0, consumerTtl = 0;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        if (!v.since(10)) v.number(self.messageTtl);
        v.cached(self.networkBrokerId);
        if (!v.since(10)) return;
        v.number(self.messageTtl);
        v.number(self.consumerTtl);
    }
};

struct BrokerSubscriptionInfo : CommandHead {
    static constexpr std::uint8_t kType = 92;  // version 12 on
    Ref<BrokerId> brokerId;
    Text brokerName;
    Array<ConsumerInfo> subscriptionInfos;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        CommandHead::fields(self, v);
        v.object(self.brokerId);
        v.text(self.brokerName);
        v.objects(self.subscriptionInfos);
    }
};

}  // namespace busbar::openwire
