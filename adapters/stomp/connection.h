// One STOMP connection: frames and time in, frames and bus commands out.
#pragma once

#include "adapters/stomp/codec.h"
#include "adapters/stomp/mapping.h"
#include "adapters/stomp/stomp.h"
#include "adapters/transport/body_transfer.h"
#include "adapters/transport/open_requests.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace busbar::stomp {

/// Life: waiting (for CONNECT) -> connecting (password check, session) -> connected -> leaving
/// (DISCONNECT came, answers are still due) -> ended. While connecting no input is taken; what was
/// read already waits in held_.
///
/// All commands that can fail or that a receipt waits for carry a request id. One I/O loop.
class Connection final : public Engine, public SessionListener, private TemporaryNames {
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
    enum class State { waiting, connecting, connected, leaving, ended };
    enum class Ack { automatic, client, individual };

    /// A delivery that the client has not acknowledged. Ids ascend within a subscription.
    struct Outstanding {
        DeliveryId id;
        MessagePtr message;  ///< only where acknowledged by message id (1.0, 1.1)
        bool settled = false;
    };
    struct Subscription {
        ConsumerId consumer;
        std::string id;
        Ack ack = Ack::automatic;
        bool showsStored = false;   ///< exactly once: MESSAGE says which stored message it is
        bool showsChanges = false;  ///< asked to be told when it becomes active or stands by
        bool showsGroups = false;   ///< asked to be told when a message group is taken from it
        std::uint32_t written = 0;  ///< automatic: credit to give back when the output drains
        std::deque<Outstanding> outstanding;
        std::string browseQueue;  ///< set: looks only
        std::string browseSelector;
        StoredId browsed;         ///< the last one shown
        bool browseMore = false;  ///< the next page waits for the output to drain
    };
    struct Pending {
        enum class Kind : unsigned char { command, send, settle, open, browse };
        Kind kind = Kind::command;
        std::string receipt;
        std::vector<std::string> moreReceipts;  ///< settle: of the ACKs that came together
        std::size_t bytes = 0;                  ///< send: of the message
        ConsumerId consumer;                    ///< browse
        std::string what;                       ///< for the error: "SEND to /queue/a"
    };
    /// A SEND whose body goes to the store while it arrives. Behind its last byte no input is taken
    /// until the body is durable: what follows keeps its order.
    struct Upload {
        std::unique_ptr<BodyUpload> body;
        Send command;
        std::string receipt;
        std::string transaction;  ///< empty: none
        bool whole = false;
    };
    /// A MESSAGE whose body comes from the store. A frame is one piece: whatever else is to be
    /// written waits in `behind`, and messages in waiting_.
    struct Outflow {
        std::unique_ptr<BodyDownload> body;
        ConsumerId consumer;
        Delivery delivery;
        bool begun = false;     ///< its headers are written
        bool fetching = false;  ///< a worker reads
        std::string behind;
    };
    using Subscriptions = std::unordered_map<ConsumerId, Subscription>;

    // connection.cpp
    void process(std::string_view input);
    void handle(Frame& frame);
    void checkHeartBeats(SteadyTime now);
    Pending& expect(Pending::Kind kind, std::string_view receipt, RequestId& request);
    void onCompleted(Completed& effect);
    void onFailed(const Pending& pending, const Error& error);
    void sendReceipt(std::string_view id, bool repeated = false);
    void receiptNow(const Frame& frame);
    void fail(const Error& error, std::string_view receipt, std::string_view what);
    void refuse(const Frame& frame, const Error& error);
    void leaveWhenDone();
    void end(std::string_view why);
    Result<std::string> toBus(DestinationKind kind, std::string_view local) override;
    std::string toLocal(const Destination& temporary) const override;

    // commands/
    void connect(Frame& frame);
    Result<Version> negotiate(const Frame& frame) const;
    void negotiateHeartBeat(const Frame& frame);
    void onAuthenticated(Result<Identity> identity);
    void onSessionOpen();
    void disconnect(const Frame& frame);
    void send(Frame& frame);
    void beginUpload(Frame& frame, Send command, std::shared_ptr<Message> message);
    bool takePart(std::string_view& input);
    void onUploadProgress();
    void onUploaded(Result<LargeBodyPtr> body);
    void submit(Send command, std::string_view receipt);
    void subscribe(const Frame& frame);
    Result<Subscribe> readSubscribe(const Frame& frame);
    static Result<void> readDelivery(const Frame& frame, Subscription& subscription,
                                     Subscribe& command);
    void browse(Subscription& subscription, std::string_view receipt);
    void onBrowsed(Browsed& effect);
    void unsubscribe(const Frame& frame);
    Subscription* findSubscription(std::string_view id);
    void acknowledge(const Frame& frame, bool accepted);
    static std::deque<Outstanding>::iterator findDelivery(std::deque<Outstanding>& outstanding,
                                                          DeliveryId delivery);
    static void trim(std::deque<Outstanding>& outstanding);
    Result<std::vector<DeliveryId>> takeAcknowledged(const Frame& frame, Settle& settling);
    Result<std::pair<Subscription*, std::size_t>> findOutstanding(const Frame& frame);
    static ConsumerId consumerOf(std::string_view ackId);
    void settle(Settle settling, std::string_view receipt);
    void flushSettles();
    void begin(const Frame& frame);
    void commit(const Frame& frame);
    void abort(const Frame& frame);
    LocalTransaction* findTransaction(const Frame& frame);

    // deliveries.cpp
    void deliver(Delivered& effect);
    void pump();
    void beginOutflow(ConsumerId consumer, Delivery delivery);
    void fetchOutflow();
    void onPiece(Result<Buffer> piece);
    void endOutflow();
    /// Where whole frames and heart-beats are written.
    std::string& out() { return outflow_ && outflow_->begun ? outflow_->behind : host_.output(); }
    void refuseDelivery(const Subscription& subscription, const Delivery& delivery,
                        const Error& why);
    void writeMessage(Subscription& subscription, const Delivery& delivery);
    void writeContent(const Message& message);  ///< its headers and body
    void writeBody(const Message& message);
    void writeBrowsed(const Subscription& subscription, const Browsed::Entry& entry);
    void writeBrowseEnd(const Subscription& subscription);
    void settleAutomatic();
    void endLease(const LeaseEnded& effect);
    void passOver(const Subscription& subscription, DeliveryId delivery);
    void extend(const Delivery& delivery);
    void writeChange(const ConsumerChanged& effect);
    void writeRevoked(const GroupRevoked& effect);
    void tellHeld();
    bool outputHigh() const { return host_.outputPending() > host_.outputHighMark(); }

    EngineHost& host_;
    const Options& options_;
    Authenticator& authenticator_;
    UserSeat seat_;
    Parser parser_;
    State state_ = State::waiting;
    Version version_ = Version::v10;
    SessionId session_;
    std::string clientId_;
    std::string user_;
    std::string held_;  ///< input that came while connecting

    OpenRequests<Pending> pending_;
    std::size_t sendsInFlight_ = 0;
    std::size_t bytesInFlight_ = 0;

    Subscriptions subscriptions_;
    std::uint64_t lastConsumer_ = 0;
    std::deque<Delivered> waiting_;       ///< came while the peer was behind
    std::vector<DeliveryId> autoSettle_;  ///< written, to be accepted once the socket has them
    std::vector<ConsumerId> autoCredit_;  ///< those with `written`
    std::map<std::string, LocalTransaction, std::less<>> transactions_;
    std::map<Destination, std::string> temporaryBusNames_;    ///< by local name
    std::map<Destination, std::string> temporaryLocalNames_;  ///< by bus name

    std::unique_ptr<Upload> upload_;
    std::unique_ptr<Outflow> outflow_;
    std::optional<Settle> settles_;  ///< ACKs of one turn go over as one command
    std::vector<std::string> settlesReceipts_;

    std::string leaveReceipt_;
    Milliseconds sendEvery_{0};     ///< our heart-beat; 0: none
    Milliseconds receiveEvery_{0};  ///< the client's
    SteadyTime loginUntil_{};
    SteadyTime lastInput_{};
    bool inputSeen_ = false;
    bool outputSeen_ = false;
    bool browseWaits_ = false;  ///< some subscription has browseMore
    bool blocked_ = false;  ///< a queue that we send to is full: no more is read until it is not
    std::shared_ptr<void> alive_ =
        std::make_shared<char>();  ///< asked by answers that come from elsewhere
};

}  // namespace busbar::stomp
