// One OpenWire connection: frames and time in, frames and bus commands out.
#pragma once

#include "adapters/openwire/codec.h"
#include "adapters/openwire/destinations.h"
#include "adapters/openwire/mapping.h"
#include "adapters/openwire/openwire.h"
#include "adapters/openwire/temporaries.h"
#include "adapters/openwire/window.h"
#include "adapters/transport/body_transfer.h"
#include "adapters/transport/open_requests.h"

#include <compare>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace busbar::openwire {

/// Life: waiting (for WireFormatInfo) -> greeted (for ConnectionInfo) -> connecting (password
/// check, session) -> connected -> leaving (answers are still due) -> left (the session is over,
/// the client hangs up) -> ended. While connecting no input is taken; what was read already waits
/// in held_. docs/adr/0006 says what each command comes to.
///
/// One session of the bus for a connection. Commands that can fail or that the client wants
/// answered carry a request id. One I/O loop.
class Connection final : public Engine, public SessionListener {
  public:
    Connection(EngineHost& host, const Options& options, Authenticator& authenticator);

    void receive(std::string_view bytes) override;
    bool wantsInput() const override;
    void onTick() override;
    void onOutputDrained() override;
    void onDisconnect() override;
    void onDrain(std::string_view why) override;

    void onEffect(Effect& effect) override;
    void onEffectsEnd() override;

  private:
    enum class State { waiting, greeted, connecting, connected, leaving, left, ended };

    /// Within the connection; the rest of the wire's id is the connection's.
    struct ConsumerKey {
        std::int64_t session = 0, value = 0;
        auto operator<=>(const ConsumerKey&) const = default;
    };
    using ProducerKey = ConsumerKey;

    /// What a command asks for: exactly one Response, if any.
    struct Answer {
        std::int32_t commandId = 0;
        bool wanted = false;
    };

    struct Consumer {
        ConsumerKey key;
        Ref<ConsumerId> wireId;
        Ref<WireDestination> destination;
        std::vector<busbar::ConsumerId> sources;  ///< one for each destination of the bus
        std::int32_t prefetch = 0;
        Window window;
        bool pulling = false;                           ///< a MessagePull is open
        std::uint64_t pull = 0;                         ///< tells its time-out from an older one's
        bool tellsQueues = false, tellsTopics = false;  ///< advisories of temporary destinations
        struct Browse {
            std::string queue, selector;
            StoredId shown;  ///< the last one
            std::int64_t credit = 0;
            bool asked = false;  ///< a page is on its way
            bool ended = false;
            std::optional<Answer> answer;  ///< of the ConsumerInfo, until the first page is there
        };
        std::unique_ptr<Browse> browse;  ///< set: looks only
    };

    /// Several sends for one command, answered when all of them were.
    struct Together {
        std::size_t open = 0;
        std::optional<Error> error;
    };
    struct Pending {
        enum class Kind : unsigned char { send, other };
        Kind kind = Kind::other;
        Answer answer;
        std::size_t bytes = 0;                 ///< send: of the message
        std::shared_ptr<Together> together;    ///< send: one of several
        Ref<ProducerId> producer;              ///< send: whose window is given back
        std::int32_t windowBytes = 0;          ///< ... and how much of it
        std::function<void(Completed&)> then;  ///< other
        std::function<void(const Picture&)> pictured;
    };
    struct Transaction {
        explicit Transaction(LocalTransaction::Limits limits) : work(limits) {}
        LocalTransaction work;
        std::optional<Error> failed;  ///< something of it did: it cannot be committed
        std::vector<std::pair<ConsumerKey, Window::Position>> enlisted;
        std::vector<MessageAck> early;  ///< of messages that this connection was not sent yet
        bool replayed = false;          ///< perhaps without its acknowledgements
        bool ended = false;             ///< by XA's end, which sends them
    };
    using TransactionPtr = std::shared_ptr<Transaction>;
    struct Producer {
        std::int32_t windowSize = 0;
        std::set<std::string> numbered;  ///< names under which the bus remembers its last number
    };
    /// What a message comes to: one send for each destination.
    struct Outgoing {
        std::vector<Send> sends;
        Answer answer;
        TransactionPtr transaction;  ///< null: none
        Ref<ProducerId> producer;
        std::int32_t windowBytes = 0;
    };
    /// A body that goes to the store. Behind it no input is taken until it is durable: what follows
    /// keeps its order.
    struct Upload {
        std::unique_ptr<BodyUpload> body;
        Outgoing outgoing;
    };
    /// A body that comes from the store, whole, since a frame says its size first.
    struct Download {
        std::unique_ptr<BodyDownload> body;
        Delivered delivered;
        std::string content;
        bool fetching = false;
    };

    // connection.cpp: input, answers, errors, time
    void process(std::string_view input);
    void handle(Structure& structure);
    bool takesInput() const;
    RequestId expect(std::function<void(Completed&)> then);
    Pending& expectPending(RequestId& request);
    void onCompleted(Completed& effect);
    void onSendCompleted(const Pending& pending, const std::optional<Error>& error);
    static Answer answerTo(const CommandHead& head) {
        return {head.commandId, head.responseRequired};
    }
    template <class T>
    void write(T command);
    bool writeStructure(const Structure& structure);
    void reply(const Answer& answer);
    void refuse(const Answer& answer, const Error& error);
    void refuse(const Answer& answer, Ref<Throwable> why);
    /// The connection cannot go on: says why, and ends.
    void fail(const Error& error);
    void leaveWhenDone();
    void leave(std::function<void()> lastWord);
    void end(std::string_view why);
    void arm();
    void checkSilence(SteadyTime now);

    // commands/login.cpp
    void on(WireFormatInfo& info);
    void on(ConnectionInfo& info);
    void onAuthenticated(Result<Identity> identity);
    void onSessionOpen(const std::optional<Error>& error);
    void writeWelcome();
    void on(KeepAliveInfo& info);
    void on(ShutdownInfo& info);
    void on(SessionInfo& info);
    void on(BrokerInfo& info);
    void on(ControlCommand& command);
    void on(ConnectionControl& control);
    /// Everything else is not for us.
    template <class T>
    void on(T& command);

    // commands/produce.cpp
    void on(ProducerInfo& info);
    void on(WireMessage& message);
    Result<std::vector<std::shared_ptr<Message>>> toMessages(const WireMessage& wire);
    void number(const WireMessage& wire, Outgoing& outgoing);
    void upload(Outgoing outgoing);
    void onUploaded(Result<LargeBodyPtr> body);
    void submit(Outgoing outgoing);
    void removeProducer(ProducerKey key);

    // commands/consume.cpp
    void on(ConsumerInfo& info);
    Result<void> readConsumer(ConsumerInfo& info, Consumer& consumer,
                              std::vector<Subscribe>& commands);
    void subscribe(Consumer& consumer, std::vector<Subscribe> commands, const Answer& answer,
                   bool selects);
    void on(ConsumerControl& control);
    void on(MessagePull& pull);
    void pull(Consumer& consumer, Milliseconds timeout);
    void endPull(Consumer& consumer);
    void on(RemoveInfo& info);
    void removeConsumer(Consumer& consumer, std::int64_t lastDelivered, const Answer& answer);
    void giveBack(Consumer& consumer, Window::Position seenEnd);
    void giveBackUnseen();
    void removeSession(std::int64_t session, std::int64_t lastDelivered);
    Consumer* findConsumer(const Ref<ConsumerId>& id);
    void forget(Consumer& consumer);

    // commands/acknowledge.cpp
    void on(MessageAck& ack);
    bool acknowledge(const MessageAck& ack, Consumer& consumer, const TransactionPtr& transaction,
                     const Answer& answer);
    std::vector<Window::Position> take(Consumer& consumer, Window::Range range);
    void open(Consumer& consumer, Window::Entry& entry);
    void settle(Consumer& consumer, const std::vector<Window::Position>& taken, Outcome outcome,
                std::string reason, const Answer& answer);
    bool suppressesDuplicate(const MessageAck& ack, const Window::Entry& entry) const;
    void flush();
    void flushAccepts();

    // commands/transact.cpp
    void on(TransactionInfo& info);
    Result<TransactionPtr> findTransaction(const Ref<TransactionId>& id);
    void begin(const TransactionInfo& info);
    void prepare(const TransactionInfo& info);
    void onPrepared(const Answer& answer, const BranchId& branch,
                    const std::optional<Error>& error);
    void refusePrepare(const Answer& answer, const BranchId& branch, const Error& why);
    void commit(const TransactionInfo& info);
    void refuseCommit(const TransactionInfo& info, const Error& why);
    void decide(const TransactionInfo& info, bool commit);
    void onDecided(const Answer& answer, const BranchId& branch, bool commit, Completed& done);
    void forget(const TransactionInfo& info);
    void recover(const Answer& answer);
    void listPrepared(std::function<void(const Picture&)> then);
    void rollback(Transaction& transaction);
    void accepted(const Transaction& transaction, bool yes);
    Result<void> matchEarly(const TransactionPtr& transaction);

    // commands/administer.cpp
    void on(DestinationInfo& info);
    void makeTemporary(const DestinationInfo& info, const Destination& destination);
    void on(RemoveSubscriptionInfo& info);
    void manageSchedules(const Message& order, const Answer& answer);
    void cancelSchedules(const Message& order, const Answer& answer, bool all);
    void browseSchedules(std::shared_ptr<const Message> order, const Answer& answer,
                         StoredId after);

    // deliveries.cpp
    void deliver(Delivered& effect);
    void dispatch(Delivered& delivered);
    void dispatchNothing(const Consumer& consumer);
    bool writeDispatch(Consumer& consumer, const Message& message, const DeliveryFacts& facts,
                       std::optional<Error>& why);
    void trim(Consumer& consumer);
    void passOver(Consumer& consumer, DeliveryId delivery);
    void endLease(const LeaseEnded& effect);
    void refuseDelivery(const Delivered& delivered, const Error& why);
    void pump();
    void beginDownload(Delivered delivered);
    void fetchDownload();
    void onPiece(Result<Buffer> piece);
    void browse(Consumer& consumer);
    void onBrowsed(Browsed& effect);
    void tellHeld();
    bool outputHigh() const { return host_.outputPending() > host_.outputHighMark(); }

    // advisories.cpp
    bool readAdvisory(const Target& target, Consumer& consumer) const;
    void advise(const Destination& temporary, std::int8_t operation);
    void adviseReplyTo(const Message& message);

    EngineHost& host_;
    const Options& options_;
    Authenticator& authenticator_;
    UserSeat seat_;
    Decoder decoder_;
    Encoder encoder_;
    State state_ = State::waiting;
    Agreement agreement_;
    busbar::SessionId session_;
    Ref<ConnectionId> connectionId_;
    std::string clientId_;
    std::string user_;
    bool faultTolerant_ = false;
    bool reconnected_ = false;
    /// A client that has failed over plays back what it had, first of all.
    bool replaying_ = false;
    Answer login_;
    std::string held_;  ///< input that came while connecting, or behind an upload
    std::int32_t lastCommandId_ = 0;

    OpenRequests<Pending> pending_;
    std::size_t sendsInFlight_ = 0;
    std::size_t bytesInFlight_ = 0;

    std::map<ConsumerKey, std::unique_ptr<Consumer>> consumers_;
    std::unordered_map<busbar::ConsumerId, Consumer*> sources_;
    std::unordered_map<RequestId, ConsumerKey> browses_;  ///< pages on their way
    std::uint64_t lastSource_ = 0;
    std::map<ProducerKey, Producer> producers_;
    std::map<std::string, TransactionPtr> transactions_;
    std::set<BranchId> preparing_;                 ///< not answered yet
    std::map<BranchId, TransactionPtr> prepared_;  ///< here, and not decided yet
    std::set<Destination> temporaries_;            ///< this connection's own
    KnownTemporaries known_;                       ///< others' that the client was told of

    std::deque<Delivered> waiting_;    ///< came while the peer was behind
    std::vector<DeliveryId> accepts_;  ///< of one turn: go over as one command
    std::vector<Answer> acceptAnswers_;
    std::unordered_map<busbar::ConsumerId, std::int32_t> credits_;  ///< of one turn
    std::unique_ptr<Upload> upload_;
    std::unique_ptr<Download> download_;
    std::multimap<SteadyTime, std::pair<ConsumerKey, std::uint64_t>> pulls_;  ///< time-outs

    std::function<void()> lastWord_;  ///< leaving: when all was answered
    SteadyTime loginUntil_{};
    SteadyTime silenceCheck_{};
    SteadyTime lastInput_{};
    bool inputSeen_ = false;
    bool outputSeen_ = false;
    bool blocked_ = false;  ///< a queue that we send to is full: no more is read until it is not
    std::shared_ptr<void> alive_ =
        std::make_shared<char>();  ///< asked by answers that come from elsewhere
};

template <class T>
void Connection::write(T command) {
    command.commandId = ++lastCommandId_;
    Structure structure;
    structure.value = std::move(command);
    writeStructure(structure);
}

template <class T>
void Connection::on(T& command) {
    Answer answer;
    if constexpr (std::is_base_of_v<CommandHead, T>) answer = answerTo(command);
    const Structure structure{std::move(command)};
    refuse(answer,
           {ErrorCode::unsupported, typeName(structure.type()) + " is not a command for this bus"});
}

}  // namespace busbar::openwire
