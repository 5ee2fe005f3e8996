// Which messages match whose selector? Views, and the scanners that fill them.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

// An index that nobody has asked for this long is forgotten.
constexpr std::chrono::seconds kIndexKept(60);
// Consumers that have enough to do wait this long at most for what is on the disk.
constexpr Milliseconds kPatience{100};
// How many selectors of fetches without an equality are remembered for a queue.
constexpr std::size_t kViewsKept = 16;

bool isReady(MessageList& messages, EntryPlace place) {
    const QueueEntry* entry = messages.find(place);
    return entry && entry->state == EntryState::ready;
}

}  // namespace

/// The view of this selector, made where it is missing.
View& Broker::Impl::viewFor(Queue& q, std::shared_ptr<const Selector> selector) {
    if (!selector) return q.everything();
    for (const auto& known : q.views) {
        if (known->selector && known->selector->text() == selector->text()) return *known;
    }
    auto made = std::make_unique<View>();
    View& view = *made;
    view.selector = std::move(selector);
    const auto& key = view.selector->equalityKey();
    if (key) {
        for (const auto& known : q.scanners) {
            if (known->property == key->property && known->strings == key->strings && !known->only)
                view.scanner = known.get();
        }
    }
    if (!view.scanner) {
        q.scanners.push_back(std::make_unique<Scanner>());
        view.scanner = q.scanners.back().get();
        if (key) {
            view.scanner->property = key->property;
            view.scanner->strings = key->strings;
        } else {
            view.scanner->only = &view;
        }
    }
    ++view.scanner->users;
    if (key) {
        view.keys = key->values;
        for (const IndexKey& value : view.keys) {
            auto& bucket = view.scanner->buckets[value];
            bucket.views.push_back(&view);
            bucket.places.each([&](EntryPlace place) {
                view.unchecked.insert(place);
                return true;
            });
        }
    }
    const bool first = q.views.size() == 1;
    q.views.push_back(std::move(made));
    if (first) refreshStanding(q, q.everything());
    return view;
}

/// Nobody asks for the view any more.
void Broker::Impl::dropView(Queue& q, View& view) {
    if (view.standing) q.standing.erase(*view.standing);
    Scanner& scanner = *view.scanner;
    for (const IndexKey& key : view.keys) std::erase(scanner.buckets[key].views, &view);
    if (--scanner.users == 0) scanner.unusedSince = now_.steady;
    const bool alone = scanner.only == &view;
    if (alone)
        std::erase_if(q.scanners, [&](const auto& known) { return known.get() == &scanner; });
    std::erase_if(q.views, [&](const auto& known) { return known.get() == &view; });
    refreshStanding(q, q.everything());
}

/// Nobody waits for something of the view now, but those who fetch come again: what was looked at
/// for one without an equality need not be looked at again.
void Broker::Impl::keepView(Queue& q, View& view) {
    if (!view.keys.empty()) return dropView(q, view);  // its index stays anyway
    view.unusedSince = now_.steady;
    View* oldest = nullptr;
    std::size_t kept = 0;
    for (const auto& known : q.views) {
        if (known->unusedSince == SteadyTime{} || known->members + known->fetchers > 0) continue;
        ++kept;
        if (!oldest || known->unusedSince < oldest->unusedSince) oldest = known.get();
    }
    if (kept > kViewsKept) dropView(q, *oldest);
}

/// Keeps the view's place among those that could give something. A queue with the one view of
/// everything needs no such order.
void Broker::Impl::refreshStanding(Queue& q, View& view) {
    if (q.views.size() == 1) {
        if (!q.standing.empty()) q.standing.clear();
        view.standing.reset();
        return;
    }
    std::optional<View::Standing> standing;
    if (!view.dry && !view.distributor.empty()) {
        const Consumer& first = view.distributor.first();
        standing = View::Standing{-std::int64_t{first.priority}, first.turn, &view};
    }
    if (standing == view.standing) return;
    if (view.standing) q.standing.erase(*view.standing);
    view.standing = standing;
    if (standing) q.standing.insert(*standing);
}

View* Broker::Impl::nextView(Queue& q) {
    if (q.views.size() == 1) {
        View& view = q.everything();
        return view.dry || view.distributor.empty() ? nullptr : &view;
    }
    return q.standing.empty() ? nullptr : std::get<2>(*q.standing.begin());
}

void Broker::Impl::wake(Queue& q, View& view) {
    if (!view.dry) return;
    view.dry = false;
    refreshStanding(q, view);
}

/// Whether its consumers have enough in their hands to wait until they can take several: of what is
/// on the disk one at a time costs a read and a write to the socket each.
bool Broker::Impl::mayWait(const View& view) {
    return !view.hurried && view.eager == 0 && view.fetchers == 0 &&
           4 * view.distributor.credit() < view.window && !view.distributor.draining();
}

/// What is first in `places` is on the disk: fetches as much as the view's consumers can take, or
/// lets them wait.
void Broker::Impl::fetchWanted(Queue& q, View& view, const PlaceSet& places) {
    if (mayWait(view))
        waitForCredit(q, view);
    else
        fetchMatches(q, view, places, view.wanted());
}

/// Not for long: its consumers may settle only when they have more.
void Broker::Impl::waitForCredit(Queue& q, View& view) {
    view.patient = true;
    view.dry = true;
    refreshStanding(q, view);
    if (std::exchange(q.patience, true)) return;
    steadyTimers_.add(after(now_.steady, kPatience),
                      {SteadyTimer::Kind::patience, q.id, {}, 0, {}});
}

void Broker::Impl::hurry(Queue& q, View& view) {
    if (!std::exchange(view.patient, false)) return;
    view.hurried = true;
    wake(q, view);
    markDirty(q);
}

void Broker::Impl::endPatience(Queue& q) {
    q.patience = false;
    for (const auto& view : q.views) hurry(q, *view);
}

/// Messages were fetched: whoever waited for one of them looks again.
void Broker::Impl::wakeAll(Queue& q) {
    for (const auto& scanner : q.scanners) scanner->waits = false;
    for (const auto& view : q.views) {
        const bool nothing = view->selector && !view->scanner->only && view->matches.empty() &&
                             view->unchecked.empty();
        if (!nothing && !view->patient) wake(q, *view);
    }
    for (Consumer* consumer : q.consumers) {
        if (consumer->listed && !consumer->parked.empty()) q.parkedTurn.push_back(consumer);
    }
    markDirty(q);
}

void Broker::Impl::classify(Queue& q, Scanner& s, EntryPlace place, const Message& message) {
    if (s.only) {
        if (!s.only->selector->matches(message)) return;
        s.only->matches.insert(place);
        return wake(q, *s.only);
    }
    const auto key = indexKeyView(message, s.property, s.strings);
    if (!key) return;
    auto bucket = s.buckets.find(*key);
    if (bucket == s.buckets.end())
        bucket = s.buckets.emplace(IndexKey(*key), Scanner::Bucket{}).first;
    s.filed += bucket->second.places.insert(place) ? 1 : 0;
    for (View* view : bucket->second.views) {
        if (!view->selector->matches(message)) continue;
        view->matches.insert(place);
        wake(q, *view);
    }
}

/// Looks at the scanner's next message, of the lanes down to `lowestPriority`. Where that is not in
/// memory and nobody waits for it (`mayFetch`), that is all for now.
Broker::Impl::Look Broker::Impl::look(Queue& q, Scanner& s, unsigned lowestPriority,
                                      bool mayFetch) {
    for (unsigned p = MessageList::kPriorities; p-- > lowestPriority;) {
        const auto priority = static_cast<std::uint8_t>(p);
        if (s.next[p] >= q.messages.end(priority)) continue;
        const auto place = q.messages.nextReadyFrom({s.next[p], priority});
        if (!place) {
            s.next[p] = q.messages.end(priority);
            continue;
        }
        if (s.waits) return Look::waits;
        if (looks_-- <= 0) {
            more_ = true;
            return Look::paused;
        }
        const QueueEntry& entry = q.messages.at(*place);
        if (!entry.message) {
            s.next[p] = place->position;
            if (!mayFetch) return Look::caughtUp;
            s.waits = true;
            EntryPlace from = *place;
            fetchFrom(q, from, scanWindow());
            return Look::waits;
        }
        s.next[p] = place->position + 1;
        classify(q, s, *place, *entry.message);
        return Look::looked;
    }
    if (lowestPriority == 0) s.behind = false;
    return Look::caughtUp;
}

/// Files what is new under the values that consumers ask for. Messages that are not in memory are
/// fetched only where somebody waits: what is fetched too early leaves memory again where it is
/// short. A selector without an equality looks for the next message when it is asked for one, but
/// at all that is here where that is about to leave memory, so that it is not fetched to be looked
/// at again.
void Broker::Impl::scanIndexes(Queue& q) {
    for (const auto& scanner : q.scanners) {
        Scanner& s = *scanner;
        if (!s.behind || s.users == 0) continue;
        if (s.only) {
            const bool leaving = memory_ > options_.memoryMax && !s.waits;
            while (leaving && look(q, s, 0, false) == Look::looked) continue;
            continue;
        }
        const auto hungry = [&] {
            return std::any_of(q.views.begin(), q.views.end(), [&](const auto& v) {
                return v->scanner == &s && v->matches.empty() &&
                       (!v->distributor.empty() || v->fetchers > 0);
            });
        };
        Look seen = Look::looked;
        while (seen == Look::looked) seen = look(q, s, 0, false);
        if (seen == Look::caughtUp && s.behind && hungry()) look(q, s, 0, true);
        if (seen == Look::paused) markDirty(q);
    }
}

/// Messages that became ready behind the scanners, and were not in memory then.
void Broker::Impl::classifyReturned(Queue& q) {
    if (q.unclassified.empty()) return;
    std::vector<EntryPlace> later;
    for (const EntryPlace place : std::exchange(q.unclassified, {})) {
        QueueEntry* entry = q.messages.find(place);
        if (!entry || entry->state != EntryState::ready) continue;
        if (!entry->message) {
            if (!entry->loading) fetch(q, place);
            later.push_back(place);
            continue;
        }
        for (const auto& scanner : q.scanners) {  // the others come to it in its turn
            if (place.position < scanner->next[place.priority])
                classify(q, *scanner, place, *entry->message);
        }
    }
    q.unclassified = std::move(later);
}

/// The view's first unchecked message: false where it must be fetched first.
bool Broker::Impl::checkMatch(Queue& q, View& view, EntryPlace place) {
    const QueueEntry& entry = q.messages.at(place);
    if (!entry.message) {
        fetchWanted(q, view, view.unchecked);
        return false;
    }
    if (view.selector->matches(*entry.message)) view.matches.insert(place);
    view.unchecked.popFront();
    return true;
}

/// The next message for a view's consumers; nothing where there is none now, or it must be fetched.
std::optional<EntryPlace> Broker::Impl::nextFor(Queue& q, View& view) {
    if (!view.selector) {
        const auto place = nextLive(q);
        if (!place) {
            view.dry = true;
            refreshStanding(q, view);
        }
        return place;
    }
    const auto dry = [&] {
        view.dry = true;
        refreshStanding(q, view);
        return std::nullopt;
    };
    const auto later = [&] {  // goes on in the next step
        markDirty(q);
        return std::nullopt;
    };
    for (;;) {
        while (!view.unchecked.empty() && !isReady(q.messages, view.unchecked.front()))
            view.unchecked.popFront();
        while (!view.matches.empty() && !isReady(q.messages, view.matches.front()))
            view.matches.popFront();
        const bool matched = !view.matches.empty();
        if (!view.unchecked.empty() &&
            (!matched || view.unchecked.front() < view.matches.front())) {
            if (!checkMatch(q, view, view.unchecked.front())) return std::nullopt;
            continue;
        }
        if (matched) {
            // Something of a higher priority may have come that was not looked at.
            const EntryPlace place = view.matches.front();
            const unsigned above = place.priority + 1u;
            if (view.scanner->behind && above < MessageList::kPriorities) {
                const Look seen = look(q, *view.scanner, above, true);
                if (seen == Look::looked) continue;
                if (seen == Look::waits) return dry();
                if (seen == Look::paused) return later();
            }
            if (!(view.matches.front() == place)) continue;
            const QueueEntry& entry = q.messages.at(place);
            if (entry.expiration == WallTime{} || entry.expiration > now_.wall) return place;
            view.matches.popFront();
            expire(q, place);
            continue;
        }
        if (!view.scanner->only) return dry();  // scanIndexes looks for it
        const Look seen = look(q, *view.scanner, 0, true);
        if (seen == Look::looked) continue;
        return seen == Look::paused ? later() : dry();
    }
}

void Broker::Impl::sweepScanners(Queue& q) {
    std::vector<View*> old;
    for (const auto& view : q.views) {
        if (view->selector && view->members + view->fetchers == 0 &&
            view->unusedSince + kIndexKept <= now_.steady)
            old.push_back(view.get());
    }
    for (View* view : old) dropView(q, *view);
    std::erase_if(q.scanners, [&](const auto& s) {
        return s->users == 0 && s->unusedSince + kIndexKept <= now_.steady;
    });
    for (const auto& view : q.views) {
        // The same of what was noted for consumers that have no credit.
        const auto gone = [&](EntryPlace p) { return !q.messages.find(p); };
        if (view->matches.size() > 2 * q.messages.size() + 1024) view->matches.eraseIf(gone);
        if (view->unchecked.size() > 2 * q.messages.size() + 1024) view->unchecked.eraseIf(gone);
    }
    for (const auto& s : q.scanners) {
        // Places of messages that have left stay filed until they are half of all.
        if (s->only || s->filed < 2 * q.messages.size() + 1024) continue;
        s->filed = 0;
        for (auto bucket = s->buckets.begin(); bucket != s->buckets.end();) {
            auto& places = bucket->second.places;
            places.eraseIf([&](EntryPlace p) { return !q.messages.find(p); });
            s->filed += places.size();
            bucket = places.empty() && bucket->second.views.empty() ? s->buckets.erase(bucket)
                                                                    : std::next(bucket);
        }
    }
}

}  // namespace busbar
