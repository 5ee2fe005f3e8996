// Links that clients resume: whose sends are taken, and what has become of earlier ones.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr int kDropsASweep = 100;

}  // namespace

/// Makes room for one more link: the user's own that was not used for the longest time goes, or
/// else whoever's. False where all are in use.
bool Broker::Impl::roomForLink(const std::string& user) {
    if (linkMemory_.size() < LinkMemory::kLinksMax) return true;
    const std::string own = LinkMemory::key(user, {});
    const std::string_view prefix = std::string_view(own).substr(0, own.size() - 1);
    const auto suspended = [this](const LinkMemory::Link& link) { return !session(link.owner); };
    const auto* goes = linkMemory_.longestUnused([&](const std::string& key, const auto& link) {
        return key.starts_with(prefix) && suspended(link);
    });
    if (!goes) {
        goes = linkMemory_.longestUnused(
            [&](const std::string&, const auto& link) { return suspended(link); });
    }
    if (goes) dropLink(std::string(*goes));
    return goes != nullptr;
}

void Broker::Impl::on(ResumeLink& c) {
    const Session* s = session(c.session);
    if (!s) {
        return emit(LinkResumed{
            c.session, c.request, Error{ErrorCode::closed, "the session is not open"}, {}});
    }
    const std::string key = LinkMemory::key(s->user, c.link);
    LinkMemory::Link* known = linkMemory_.find(key);
    if (!known && !roomForLink(s->user)) {
        return emit(
            LinkResumed{c.session,
                        c.request,
                        Error{ErrorCode::limitReached,
                              "there are " + std::to_string(LinkMemory::kLinksMax) +
                                  " links attached already whose sends are remembered, the limit"},
                        {}});
    }
    LinkMemory::Link& link = known ? *known : linkMemory_.open(key);
    if (link.waiting) {  // overtaken by somebody who came back once more
        emit(LinkResumed{link.waiting->session,
                         link.waiting->request,
                         Error{ErrorCode::conflict, "the link was resumed elsewhere"},
                         {}});
    }
    link.owner = s->id;
    link.used = now_.wall;
    link.waiting = std::move(c);
    if (link.inFlight == 0) answerResumed(key, link);
}

/// What its last session sent is durable, or was refused: now it can be said what is known.
void Broker::Impl::answerResumed(const std::string& key, LinkMemory::Link& link) {
    const ResumeLink c = std::move(*link.waiting);
    link.waiting.reset();
    if (!session(c.session)) return;
    LinkResumed answer{c.session, c.request, storeFailed_, {}};
    const std::set<std::string_view> asked(c.tags.begin(), c.tags.end());
    std::vector<std::string> over;
    for (const auto& [tag, sent] : link.sent) {
        if (asked.contains(tag))
            answer.known.push_back({tag, sent.messageId});
        else if (c.all)
            over.push_back(tag);
    }
    for (const auto& tag : over) forgetSend(key, link, tag);
    emit(std::move(answer));
}

void Broker::Impl::forgetSend(const std::string& key, LinkMemory::Link& link,
                              const std::string& tag) {
    if (linkMemory_.forget(link, tag))
        lazily(EraseRow{Table::instance, LinkMemory::rowKey(key, tag)});
}

void Broker::Impl::on(ForgetSends& c) {
    const Session* s = session(c.session);
    if (!s) return;
    const std::string key = LinkMemory::key(s->user, c.link);
    LinkMemory::Link* link = linkMemory_.find(key);
    if (!link || link->owner != s->id) return;
    if (c.tags.empty()) return dropLink(key);
    for (const auto& tag : c.tags) forgetSend(key, *link, tag);
}

void Broker::Impl::dropLink(const std::string& key) {
    for (const auto& tag : linkMemory_.drop(key))
        lazily(EraseRow{Table::instance, LinkMemory::rowKey(key, tag)});
}

/// Whether this session is the one that sends over the link.
bool Broker::Impl::isTheirs(const Send& c, const Session& s) {
    const auto* link = linkMemory_.find(LinkMemory::key(s.user, c.link));
    return link && link->owner == s.id;
}

/// The send becomes part of what is known of its link, in the unit of work that stores it.
void Broker::Impl::rememberSend(const Send& c, const Session& s, const Message& message,
                                Draft& draft) {
    std::string key = LinkMemory::key(s.user, c.link);
    LinkMemory::Link& link = linkMemory_.open(key);
    auto& operations = draft.unit.operations;
    for (const auto& tag : linkMemory_.remember(link, c.tag, {0, now_.wall, message.id}))
        operations.push_back(EraseRow{Table::instance, LinkMemory::rowKey(key, tag)});
    operations.push_back(PutRow{Table::instance, LinkMemory::rowKey(key, c.tag),
                                LinkMemory::encode(link.sent.at(c.tag))});
    ++link.inFlight;
    draft.linked = std::make_unique<Draft::Linked>(Draft::Linked{std::move(key), c.tag, link.last});
}

/// Its unit is durable, or was refused.
void Broker::Impl::sendArrived(const Draft::Linked& send, bool stored) {
    LinkMemory::Link* link = linkMemory_.find(send.link);
    if (!link) return;  // closed meanwhile
    if (link->inFlight > 0) --link->inFlight;
    const auto found = link->sent.find(send.tag);
    if (!stored && found != link->sent.end() && found->second.number == send.number)
        linkMemory_.forget(*link, send.tag);
    if (link->waiting && link->inFlight == 0) answerResumed(send.link, *link);
}

void Broker::Impl::sweepLinks() {
    for (auto& [key, link] : linkMemory_.all()) {
        if (session(link.owner)) link.used = now_.wall;
    }
    const auto suspended = [this](const std::string&, const LinkMemory::Link& link) {
        return !session(link.owner);
    };
    const WallTime limit = now_.wall - options_.linkWindow;
    for (int i = 0; i < kDropsASweep; ++i) {
        const auto* oldest = linkMemory_.longestUnused(suspended);
        if (!oldest) return;
        const bool tooMany = linkMemory_.sends() > options_.dedupMax;
        if (!tooMany && linkMemory_.find(*oldest)->used >= limit) return;
        dropLink(std::string(*oldest));
    }
}

}  // namespace busbar
