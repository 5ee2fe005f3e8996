// Links that clients resume after a lost connection (AMQP 1.0 section 2.6.13).
#include "adapters/amqp/connection.h"
#include "bus/base/id_list.h"

#include <proton/disposition.h>

#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::size_t kNameMax = 255;
constexpr std::size_t kIdsMax = 100'000;
constexpr std::uint64_t kAcceptedState = PN_ACCEPTED;

std::string tagOf(pn_delivery_t* delivery) {
    const pn_delivery_tag_t tag = pn_delivery_tag(delivery);
    return {tag.start, tag.size};
}

}  // namespace

// ---- from producers

/// A target that is to keep unsettled state (AMQP 1.0 section 3.5.5), or does not expire; or a
/// client that says what it has of an earlier connection.
bool Connection::canBeResumed(pn_link_t* pn, const std::optional<Unsettled>& theirs) const {
    if (pn_link_remote_snd_settle_mode(pn) == PN_SND_SETTLED || container_.empty()) return false;
    if (view(pn_link_name(pn)).size() > kNameMax) return false;
    pn_terminus_t* target = pn_link_remote_target(pn);
    return theirs || pn_terminus_get_durability(target) == PN_DELIVERIES ||
           pn_terminus_get_expiry_policy(target) == PN_EXPIRE_NEVER;
}

/// What the bus knows of the link's earlier sends is asked first: it goes into our attach frame.
void Connection::resumeProducer(Link& link, std::optional<Unsettled> theirs) {
    link.recovery = std::make_unique<Recovery>();
    link.recovery->name = "amqp:" + container_ + ":" + std::string(view(pn_link_name(link.pn)));
    link.recovery->second = pn_link_remote_rcv_settle_mode(link.pn) == PN_RCV_SECOND;
    ResumeLink command;
    command.session = session_;
    command.link = link.recovery->name;
    command.all = !theirs || theirs->complete;
    if (theirs) {
        for (const auto& entry : theirs->entries) command.tags.push_back(entry.tag);
    }
    link.recovery->theirs = std::move(theirs);
    Pending pending;
    pending.link = link.id;
    command.request = expect(std::move(pending));
    host_.bus().submit(std::move(command));
}

void Connection::onResumed(LinkResumed& effect) {
    const auto pending = pending_.take(effect.request);
    Link* link = pending ? find(pending->link) : nullptr;
    if (!link || !link->recovery) return;
    if (effect.error) {
        refuse(link->pn, *effect.error);
        return removeLink(link->id);
    }
    Recovery& recovery = *link->recovery;
    const bool resumes = recovery.theirs.has_value();
    if (resumes) answerMap(*link, effect.known);
    recovery.theirs.reset();
    for (auto& known : effect.known)
        recovery.known.emplace(std::move(known.tag), std::move(known.messageId));
    openProducer(*link);
    if (!resumes) return;
    write();
    recovery.mapCut = filter_.takeWasCut();
}

/// Where we settle second, an answer is unsettled until the client has it: it is in our map, and
/// the client sends nothing again. Where we settle first we have, and the tag may be another
/// send's by now: it is not in our map. What is then sent again is known by its message id.
void Connection::answerMap(Link& link, const std::vector<LinkResumed::Known>& known) {
    Unsettled ours;
    if (link.recovery->second) {
        for (const auto& send : known) ours.entries.push_back({send.tag, kAcceptedState});
    }
    filter_.answer(view(pn_link_name(link.pn)), false, std::move(ours));
}

/// A transfer that resumes one of an earlier connection. True: it is done with.
bool Connection::isResumption(Link& link, pn_delivery_t* delivery) {
    Recovery& recovery = *link.recovery;
    const std::string tag = tagOf(delivery);
    if (!filter_.takeResumed(view(pn_link_name(link.pn)), tag)) {
        if (!recovery.mapCut) return false;
        detach(link, {ErrorCode::closed,
                      "our unsettled map was not complete: the link has to be "
                      "resumed again before anything new is sent on it"});
        return true;
    }
    forgetArriving(link);
    const bool known = recovery.second && recovery.known.erase(tag) > 0;
    if (known)
        acceptFor(link, delivery);
    else
        settle(delivery, PN_RELEASED);  // not in our map: ignored, and the client may send it anew
    topUp(link);
    return true;
}

/// Whether it was taken before, on an earlier connection, and its answer was lost: then it is
/// answered here.
bool Connection::isKnown(Link& link, pn_delivery_t* delivery, const std::string& messageId) {
    const auto known = link.recovery->known.find(tagOf(delivery));
    if (known == link.recovery->known.end()) return false;
    const bool same = !messageId.empty() && known->second == messageId;
    link.recovery->known.erase(known);  // else the tag is another send's from here on
    if (same) acceptFor(link, delivery);
    return same;
}

/// The bus has it.
void Connection::acceptFor(Link& link, pn_delivery_t* delivery) {
    if (!link.recovery || !link.recovery->second) return settle(delivery, PN_ACCEPTED);
    if (pn_delivery_settled(delivery)) {  // the client did not wait
        forgetSend(link, delivery);
        return settle(delivery, PN_ACCEPTED);
    }
    pn_delivery_update(delivery, PN_ACCEPTED);
    ++link.recovery->answered;
}

/// The client has our answer, and will not ask for it again.
void Connection::onSettledByProducer(Link& link, pn_delivery_t* delivery) {
    if (!link.recovery || !pn_delivery_settled(delivery)) return;
    if (pn_delivery_local_state(delivery) == 0) return;  // not answered yet
    forgetSend(link, delivery);
    --link.recovery->answered;
    pn_delivery_settle(delivery);
    topUp(link);
}

void Connection::forgetSend(const Link& link, pn_delivery_t* delivery) {
    host_.bus().submit(ForgetSends{session_, link.recovery->name, {tagOf(delivery)}});
}

// ---- to consumers

/// What the client has accepted leaves the queue; what it has without having decided is resumed.
/// Its tags are the numbers of our messages.
void Connection::readInHands(Link& link, Subscribe& command, const Unsettled& theirs) {
    link.resumes = command.resumes = true;
    link.suspended = !theirs.complete;
    for (const auto& entry : theirs.entries) {
        const StoredId id = storedOf(entry.tag);
        if (!id) continue;
        (entry.state == kAcceptedState ? command.processed : command.inHands).push_back(id);
    }
}

void Connection::answerInHands(Link& link, const std::string& ids) {
    Unsettled ours;
    if (const auto there = parseIdList(ids, kIdsMax); there && filter_.canResume()) {
        for (const StoredId id : *there) ours.entries.push_back({tagOf(id), 0});
    }
    filter_.answer(view(pn_link_name(link.pn)), true, std::move(ours));
}

}  // namespace busbar::amqp
