// Links come and go: attach, detach, close; producers, the coordinator, dynamic nodes.
#include "adapters/amqp/address.h"
#include "adapters/amqp/connection.h"

#include <proton/connection.h>

#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::uint64_t kAroundBody = 1u << 20;  // sections beside a large body, as announced
constexpr std::uint8_t kDeleteOnClose = 0x2b;    // AMQP 1.0 section 3.5.10

void putLifetime(pn_terminus_t* terminus) {
    std::string encoded;
    Compound map(encoded, Compound::Kind::map);
    putSymbol(encoded, "lifetime-policy");
    putDescriptor(encoded, kDeleteOnClose);
    Compound(encoded, Compound::Kind::list).end(0);
    map.end(2);
    assign(pn_terminus_properties(terminus), encoded);
}

void putCapability(pn_terminus_t* terminus, DestinationKind kind) {
    std::string encoded;
    putSymbols(encoded, {capabilityOf(kind)});
    assign(pn_terminus_capabilities(terminus), encoded);
}

}  // namespace

// ---- the table of links

Link* Connection::linkOf(pn_link_t* pn) {
    return pn ? static_cast<Link*>(pn_link_get_context(pn)) : nullptr;
}

Link* Connection::find(LinkId id) {
    const auto found = links_.find(id);
    return found == links_.end() ? nullptr : found->second.get();
}

Link* Connection::addLink(pn_link_t* pn, Link::Role role) {
    auto link = std::make_unique<Link>();
    link->role = role;
    link->id = ++lastLink_;
    link->pn = pn;
    pn_link_set_context(pn, link.get());
    return links_.emplace(link->id, std::move(link)).first->second.get();
}

void Connection::removeLink(LinkId id) {
    const auto found = links_.find(id);
    if (found == links_.end()) return;
    pn_link_set_context(found->second->pn, nullptr);
    links_.erase(found);
}

// ---- attach

/// AMQP 1.0 section 2.6.3: who cannot be served gets an attach without the terminus in question,
/// then the reason.
void Connection::refuse(pn_link_t* pn, const Error& error) {
    pn_terminus_t* ours = pn_link_is_sender(pn) ? pn_link_source(pn) : pn_link_target(pn);
    pn_terminus_set_type(ours, PN_UNSPECIFIED);
    pn_link_open(pn);
    set(pn_link_condition(pn), error);
    pn_link_close(pn);
}

void Connection::attach(pn_link_t* pn) {
    const bool consumes = pn_link_is_sender(pn);
    auto theirs = filter_.takeUnsettled(view(pn_link_name(pn)), !consumes);
    if (links_.size() >= options_.linksMax) {
        return refuse(
            pn, {ErrorCode::limitReached,
                 "a connection may have at most " + std::to_string(options_.linksMax) + " links"});
    }
    pn_link_set_snd_settle_mode(pn, pn_link_remote_snd_settle_mode(pn));
    pn_link_set_rcv_settle_mode(pn, pn_link_remote_rcv_settle_mode(pn));
    if (consumes) return attachConsumer(pn, theirs);
    if (pn_terminus_get_type(pn_link_remote_target(pn)) == PN_COORDINATOR)
        return attachCoordinator(pn);
    attachProducer(pn, std::move(theirs));
}

DestinationKind Connection::kindOf(pn_terminus_t* terminus) const {
    const Held capabilities = read(pn_terminus_capabilities(terminus));
    for (const auto kind : {DestinationKind::queue, DestinationKind::topic,
                            DestinationKind::temporaryQueue, DestinationKind::temporaryTopic}) {
        if (names(capabilities.item, capabilityOf(kind))) return kind;
    }
    return options_.defaultKind;
}

/// AMQP 1.0 section 3.5.10, "Dynamic". The node ends with its link, whatever policy was asked for.
void Connection::makeTemporary(Link& link, pn_terminus_t* remote, std::function<void(Link&)> then) {
    const DestinationKind asked = kindOf(remote);
    const bool topic = asked == DestinationKind::topic || asked == DestinationKind::temporaryTopic;
    const Destination node{
        topic ? DestinationKind::temporaryTopic : DestinationKind::temporaryQueue,
        (topic ? "tt." : "tq.") + std::to_string(session_.value) + "." +
            std::to_string(++lastTemporary_)};
    MakeTemporary command;
    command.session = session_;
    command.destination = node;
    command.request = expect([this, id = link.id, node, then = std::move(then)](Completed& answer) {
        Link* made = find(id);
        if (!made) return;
        if (answer.error) {
            refuse(made->pn, *answer.error);
            return removeLink(id);
        }
        made->temporary = node;
        pn_terminus_t* ours =
            made->isIncoming() ? pn_link_target(made->pn) : pn_link_source(made->pn);
        pn_terminus_set_dynamic(ours, true);
        pn_terminus_set_address(ours, toAddress(node).c_str());
        putLifetime(ours);
        putCapability(ours, node.kind);
        then(*made);
    });
    host_.bus().submit(std::move(command));
}

void Connection::attachProducer(pn_link_t* pn, std::optional<Unsettled> theirs) {
    pn_terminus_t* remote = pn_link_remote_target(pn);
    pn_terminus_copy(pn_link_source(pn), pn_link_remote_source(pn));
    const auto address = view(pn_terminus_get_address(remote));
    if (pn_terminus_is_dynamic(remote)) {
        Link* link = addLink(pn, Link::Role::producer);
        return makeTemporary(*link, remote, [this](Link& made) {
            made.target = made.temporary;
            openProducer(made);
        });
    }
    std::optional<Destination> target;
    if (!address.empty()) {
        auto destination = toDestination(address, kindOf(remote));
        if (!destination) return refuse(pn, destination.error());
        target = std::move(*destination);
    }
    Link* link = addLink(pn, Link::Role::producer);
    link->target = std::move(target);
    pn_terminus_copy(pn_link_target(pn), remote);
    if (canBeResumed(pn, theirs)) return resumeProducer(*link, std::move(theirs));
    openProducer(*link);
}

void Connection::openProducer(Link& link) {
    const Held properties = read(pn_link_remote_properties(link.pn));
    link.dedupByMessageId = properties.item.find("busbar-dedup").bytes == "message-id";
    const bool streams = host_.bus().bodies() && options_.largeBytesMax > options_.largeBodyBytes;
    pn_link_set_max_message_size(
        link.pn, streams ? options_.largeBytesMax + kAroundBody : options_.messageBytesMax);
    pn_link_open(link.pn);
    link.attached = true;
    topUp(link);
}

void Connection::attachCoordinator(pn_link_t* pn) {
    Link* link = addLink(pn, Link::Role::coordinator);
    pn_terminus_copy(pn_link_source(pn), pn_link_remote_source(pn));
    pn_terminus_copy(pn_link_target(pn), pn_link_remote_target(pn));
    std::string capabilities;
    putSymbols(capabilities, {"amqp:local-transactions", "amqp:multi-txns-per-ssn"});
    assign(pn_terminus_capabilities(pn_link_target(pn)), capabilities);
    pn_link_open(pn);
    link->attached = true;
    topUp(*link);
}

// ---- detach

/// Ends a link from our side; the client's own detach follows.
void Connection::detach(Link& link, const Error& error) {
    pn_link_t* pn = link.pn;
    const bool attached = link.attached;
    endLink(link, false);
    removeLink(link.id);
    if (!attached) return refuse(pn, error);
    set(pn_link_condition(pn), error);
    pn_link_close(pn);
}

void Connection::onDetach(pn_link_t* pn, bool closed) {
    if (Link* link = linkOf(pn)) {
        const LinkId id = link->id;
        if (closed && (link->temporary || !link->durableName.empty()))
            return endLink(*link, true);  // answered when the node is gone
        endLink(*link, closed);
        removeLink(id);
    }
    answerDetach(pn, closed);
}

void Connection::answerDetach(pn_link_t* pn, bool closed) {
    if ((pn_link_state(pn) & PN_LOCAL_UNINIT) != 0) pn_link_open(pn);
    if (closed)
        pn_link_close(pn);
    else
        pn_link_detach(pn);
    pn_link_free(pn);
}

/// What the bus has of it. Where `closed`, its node goes too, and the client hears whether it did.
void Connection::endLink(Link& link, bool closed) {
    if (link.role == Link::Role::coordinator) rollbackAll(link.id);
    const bool consumes = link.role == Link::Role::consumer;
    if (consumes) {
        flushSettles();
        host_.bus().submit(Unsubscribe{session_, {}, ConsumerId(link.id)});
    }
    std::erase_if(waiting_, [&](const Delivered& d) { return d.consumer.value == link.id; });
    if (outflow_ && outflow_->link == link.id) outflow_.reset();
    if (link.recovery && closed) host_.bus().submit(ForgetSends{session_, link.recovery->name, {}});
    const auto answer = [this, id = link.id, closed](Completed& done) {
        Link* over = find(id);
        if (!over || !closed) return;
        pn_link_t* pn = over->pn;
        const bool quiet = over->shared && done.error && done.error->code == ErrorCode::inUse;
        removeLink(id);
        if (done.error && !quiet) set(pn_link_condition(pn), *done.error);
        answerDetach(pn, true);
    };
    if (link.temporary) {
        host_.bus().submit(DeleteTemporary{session_, expect(answer), *link.temporary});
    } else if (!link.durableName.empty() && (closed || link.isVolatile)) {
        deleteSubscription(link, answer);
    }
}

void Connection::deleteSubscription(const Link& link, std::function<void(Completed&)> then) {
    DeleteSubscription command;
    command.session = session_;
    command.name = link.durableName;
    command.shared = link.shared;
    command.request = expect(std::move(then));
    host_.bus().submit(std::move(command));
}

}  // namespace busbar::amqp
