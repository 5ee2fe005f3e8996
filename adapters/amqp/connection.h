// One AMQP connection: Proton's events and the bus's effects, joined.
#pragma once

#include "adapters/amqp/amqp.h"
#include "adapters/amqp/frame_filter.h"
#include "adapters/amqp/links.h"
#include "adapters/amqp/login.h"
#include "adapters/amqp/proton.h"
#include "adapters/transport/open_requests.h"

#include <proton/delivery.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/session.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace busbar::amqp {

/// Life: login (SASL) -> opening (the bus opens a session for the client's open frame) -> open ->
/// ended. While opening, Proton's events wait in its collector and input is held.
///
/// Proton is called on the connection's I/O loop only, and its events are taken in dispatch() only:
/// what the bus tells changes Proton's objects, and pump() then writes what came of it.
class Connection final : public Engine, public SessionListener {
  public:
    Connection(EngineHost& host, const Options& options, Authenticator& authenticator);
    ~Connection() override;

    void receive(std::string_view bytes) override;
    bool wantsInput() const override;
    void onTick() override;
    void onOutputDrained() override;
    void onDisconnect() override;
    void onDrain(std::string_view why) override;

    void onEffect(Effect& effect) override;
    void onEffectsEnd() override;

  private:
    enum class State { login, opening, open, ended };

    struct Pending {
        enum class Kind : unsigned char { send, command };
        Kind kind = Kind::command;
        LinkId link = 0;
        pn_delivery_t* delivery = nullptr;  ///< send: to be settled; null: came settled
        std::size_t bytes = 0;              ///< send: of the message
        std::function<void(Completed&)> then{};
    };
    struct Transaction {
        LinkId coordinator = 0;
        LocalTransaction work;
        std::vector<Settle> others;  ///< outcomes that are not accepted, for after the commit
        explicit Transaction(LocalTransaction::Limits limits) : work(limits) {}
    };
    /// What a disposition or a transfer says of a transaction.
    struct TransactionalState {
        std::string id;
        std::uint64_t outcome = 0;  ///< 0: none was named
    };
    /// A message that has arrived.
    struct Arrival {
        LinkId link = 0;
        pn_delivery_t* delivery = nullptr;
        std::size_t bytes = 0;
        Incoming incoming;
        TransactionalState state;
    };
    /// One whose body is with the store and not yet durable. No event is looked at until it is:
    /// what follows keeps its order.
    struct Upload {
        Arrival arrival;
        std::unique_ptr<BodyUpload> body;
    };

    // connection.cpp
    void feed(std::string_view bytes);
    std::size_t loginPiece(std::string_view bytes) const;
    std::size_t give(std::string_view bytes);
    void pump();
    void tellHeld();
    void dispatch();
    void write();
    void handle(pn_event_t* event);
    void tick();
    void fail(const Error& error);
    void end(std::string_view why);
    RequestId expect(Pending pending);
    RequestId expect(std::function<void(Completed&)> then);
    void onCompleted(Completed& effect);

    // open.cpp
    static Login::Offers offersFor(EngineHost& host, const Options& options,
                                   Authenticator& authenticator);
    void authenticate();
    Result<Identity> identifyByCertificate();
    void authenticateByScram();
    void onAuthenticated(const Result<Identity>& identity);
    void openConnection();
    void onSessionOpen(const Completed& answer);
    void openSession(pn_session_t* session);
    void closeSession(pn_session_t* session);

    // attach.cpp
    Link* linkOf(pn_link_t* pn);
    Link* find(LinkId id);
    Link* addLink(pn_link_t* pn, Link::Role role);
    void attach(pn_link_t* pn);
    void refuse(pn_link_t* pn, const Error& error);
    void detach(Link& link, const Error& error);
    void onDetach(pn_link_t* pn, bool closed);
    static void answerDetach(pn_link_t* pn, bool closed);
    void endLink(Link& link, bool closed);
    void removeLink(LinkId id);
    DestinationKind kindOf(pn_terminus_t* terminus) const;
    void makeTemporary(Link& link, pn_terminus_t* remote, std::function<void(Link&)> then);
    void attachProducer(pn_link_t* pn, std::optional<Unsettled> theirs);
    void attachCoordinator(pn_link_t* pn);
    void openProducer(Link& link);

    // link_recovery.cpp
    bool canBeResumed(pn_link_t* pn, const std::optional<Unsettled>& theirs) const;
    void resumeProducer(Link& link, std::optional<Unsettled> theirs);
    void onResumed(LinkResumed& effect);
    void answerMap(Link& link, const std::vector<LinkResumed::Known>& known);
    bool isResumption(Link& link, pn_delivery_t* delivery);
    bool isKnown(Link& link, pn_delivery_t* delivery, const std::string& messageId);
    void acceptFor(Link& link, pn_delivery_t* delivery);
    void onSettledByProducer(Link& link, pn_delivery_t* delivery);
    void forgetSend(const Link& link, pn_delivery_t* delivery);
    static void readInHands(Link& link, Subscribe& command, const Unsettled& theirs);
    void answerInHands(Link& link, const std::string& ids);

    // subscribe.cpp
    void attachConsumer(pn_link_t* pn, const std::optional<Unsettled>& theirs);
    void attachBrowser(Link& link, Subscribe& command);
    void attachUnsubscriber(Link& link);
    Result<Subscribe> readSource(Link& link);
    Result<void> readSubscription(Link& link, Subscribe& command);
    static void readFilter(const Item& filter, Subscribe& command, std::string& echo);
    Result<void> readLinkProperties(Link& link, Subscribe& command);
    void subscribe(Link& link, Subscribe command);
    void openConsumer(Link& link, const std::string& inHands);
    void deleteSubscription(const Link& link, std::function<void(Completed&)> then);
    std::string subscriptionName(std::string_view linkName, bool shared) const;

    // transfers.cpp
    void onTransfer(Link& link, pn_delivery_t* delivery);
    static void discard(pn_link_t* pn);
    bool gather(Link& link, pn_delivery_t* delivery);
    Result<void> mayGather(const Link& link, std::size_t more) const;
    Result<void> mayHold(std::size_t more) const;
    void forgetArriving(Link& link);
    void take(Link& link, pn_delivery_t* delivery, const Buffer& encoded);
    MappingOptions mapping() const { return {{16, options_.itemsMax}, options_.defaultKind}; }
    void submit(Link& link, Arrival arrival);

    // large_transfers.cpp
    bool holdsEvents() const { return upload_ || diskIsBehind(); }
    bool diskIsBehind() const;
    bool beginInflow(Link& link);
    bool flowIn(Link& link, std::string_view bytes);
    bool flowIn(Link& link, pn_delivery_t* delivery);
    void endInflow(Link& link, pn_delivery_t* delivery);
    void onInflowProgress(LinkId id);
    void onUploaded(Result<LargeBodyPtr> body);
    void takeTransactional(pn_delivery_t* delivery, const TransactionalState& state,
                           std::shared_ptr<Message> message);
    void onSent(const Pending& pending, const std::optional<Error>& error);
    void topUp(Link& link);
    void topUpAll();
    static void settle(pn_delivery_t* delivery, std::uint64_t outcome);
    static void reject(pn_delivery_t* delivery, const Error& error);

    // deliveries.cpp
    void onFlow(Link& link);
    void deliver(Delivered& effect);
    void writeWaiting();
    DeliveryFacts factsOf(const Link& link, const Delivery& delivery) const;
    void writeDelivery(Link& link, Delivery& delivery);
    pn_delivery_t* begin(Link& link, const Delivery& delivery);
    void finish(Link& link, const Delivery& delivery, pn_delivery_t* out);
    void tellDrained();
    void beginOutflow(Link& link, Delivery delivery);
    void fetchOutflow();
    void onPiece(Result<Buffer> piece);
    void look(Link& link);
    void onBrowsed(Browsed& effect);
    void writeBrowsed(Link& link, const Browsed::Entry& entry);
    bool outputHigh(pn_link_t* pn) const;

    // dispositions.cpp
    void onDisposition(Link& link, pn_delivery_t* delivery);
    void settleOne(Link& link, Link::Unsettled& unsettled, std::uint64_t state);
    void extend(DeliveryId id, Milliseconds lease);
    void endLease(const LeaseEnded& effect);
    static Settle outcomeOf(pn_delivery_t* delivery, std::uint64_t state);
    void enlist(Link& link, Link::Unsettled& unsettled, const TransactionalState& state);
    void flushSettles();

    // coordinator.cpp
    void coordinate(Link& link, pn_delivery_t* delivery, std::string_view encoded);
    void declare(Link& link, pn_delivery_t* delivery);
    void discharge(Link& link, pn_delivery_t* delivery, const Item& body);
    void commit(Link& link, pn_delivery_t* delivery, Transaction transaction);
    void rollback(Transaction& transaction);
    void rollbackAll(LinkId coordinator);
    static TransactionalState readState(pn_disposition_t* disposition);
    static void answer(pn_delivery_t* delivery, std::string_view id);

    EngineHost& host_;
    const Options& options_;
    Authenticator& authenticator_;
    UserSeat seat_;
    Login login_;                     // outlives driver_
    std::vector<std::string> roles_;  // of the login, until the session opens
    Driver driver_;
    FrameFilter filter_;
    State state_ = State::login;
    SessionId session_;
    std::string clientId_;   ///< only where the client wants to be alone with its container-id
    std::string container_;  ///< the client's container-id
    std::string held_;       ///< input that Proton has no room for, or must not see yet
    std::size_t bytesBeforeLogin_ = 0;
    SteadyTime loginUntil_{};
    bool dispatching_ = false;
    bool authenticating_ = false;
    Identity scramIdentity_;
    bool stalled_ = false;  ///< held_ waits for us, not for more of it

    OpenRequests<Pending> pending_;
    std::size_t bytesInFlight_ = 0;
    bool blocked_ = false;  ///< a queue that we send to is full: no credit until it is not

    std::unordered_map<LinkId, std::unique_ptr<Link>> links_;
    LinkId lastLink_ = 0;
    std::uint64_t lastTemporary_ = 0;
    std::deque<Delivered> waiting_;  ///< came while the client was behind
    std::vector<Browsed> browsed_;   ///< pages that came while the client was behind
    std::vector<DeliveryId> accepted_;
    std::unique_ptr<Outflow> outflow_;
    std::unique_ptr<Upload> upload_;
    LinkId filling_ = 0;   ///< whose inflow took bytes last: the disk may be behind with it
    bool drains_ = false;  ///< some link is `drained`
    std::map<std::string, Transaction, std::less<>> transactions_;
    std::uint64_t lastTransaction_ = 0;
    std::shared_ptr<void> alive_ =
        std::make_shared<char>();  ///< asked by answers that come from elsewhere
};

}  // namespace busbar::amqp
