// Who waits for whom? Services whose consumers all wait for replies of one another.
#include "bus/core/broker_impl.h"

#include <algorithm>

namespace busbar {
namespace {

constexpr std::size_t kAskedMax = 64;  // requests of one session that are followed

using Names = std::set<std::string>;

std::string serviceOf(const Queue& q) {
    return q.name.substr(0, q.name.size() - kRequestSuffix.size());
}

/// "a waits for a reply from b, b ..." of a cycle, from its first name by the alphabet.
std::string describe(std::vector<std::string> cycle) {
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    std::string out;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
        out += (i > 0 ? ", " : "") + cycle[i] + " waits for a reply from " +
               cycle[(i + 1) % cycle.size()];
    }
    return out;
}

}  // namespace

/// Services all of whose consumers hold requests and wait for replies: of each, for which services
/// each consumer waits.
struct Broker::Impl::Waits {
    std::map<std::string, std::vector<Names>> services;

    bool stuck(const Names& awaited) const {
        return std::any_of(awaited.begin(), awaited.end(),
                           [&](const auto& name) { return services.contains(name); });
    }
    /// Leaves those that can only go on when another one of them does.
    void reduce() {
        while (std::erase_if(services, [&](const auto& service) {
                   return !std::all_of(service.second.begin(), service.second.end(),
                                       [&](const Names& awaited) { return stuck(awaited); });
               }) > 0) {
        }
    }
    const std::string& next(const std::string& service) const {
        const Names& awaited = services.at(service).front();
        return *std::find_if(awaited.begin(), awaited.end(),
                             [&](const auto& name) { return services.contains(name); });
    }
    std::set<std::string> cycles() const {
        std::set<std::string> out;
        for (const auto& [start, consumers] : services) {
            std::vector<std::string> way{start};
            for (;;) {
                const std::string& to = next(way.back());
                const auto seen = std::find(way.begin(), way.end(), to);
                if (seen == way.end()) {
                    way.push_back(to);
                    continue;
                }
                out.insert(describe({seen, way.end()}));
                break;
            }
        }
        return out;
    }
};

void Broker::Impl::waitsForReply(SessionId id, const std::string& service) {
    Session* s = session(id);
    if (!s) return;
    ++s->calls[service];
    watch_ = true;
}

void Broker::Impl::waitsNoMore(SessionId id, const std::string& service) {
    Session* s = session(id);
    if (!s) return;
    const auto found = s->calls.find(service);
    if (found != s->calls.end() && --found->second == 0) s->calls.erase(found);
}

/// A request that the session sends itself is waited for as long as nobody has settled it.
void Broker::Impl::noteRequest(Session& s, const Message& message, const Draft& draft) {
    if (!message.replyTo || message.recurrence || draft.added.empty() ||
        message.destination.isTopic() || !message.destination.name.ends_with(kRequestSuffix))
        return;
    const Draft::Added& added = draft.added.back();
    s.asked.push_back({added.queue, queue(added.queue)->messages.at(added.place).id});
    if (s.asked.size() > kAskedMax) s.asked.pop_front();
    watch_ = true;
}

Broker::Impl::Waits Broker::Impl::whoWaits() {
    std::map<QueueId, std::map<SessionId, Names>> waiting;
    watch_ = false;
    for (auto& [id, s] : sessions_) {
        std::erase_if(s->asked, [&](const Session::Asked& asked) {
            Queue* q = queue(asked.queue);
            return !q || !q->messages.findId(asked.request);
        });
        Names awaited;
        for (const auto& [service, count] : s->calls) awaited.insert(service);
        for (const auto& asked : s->asked) awaited.insert(serviceOf(*queue(asked.queue)));
        if (awaited.empty()) continue;
        watch_ = true;
        ledger_.forEachOf(s->held, [&, who = id](const HeldDelivery& held) {
            if (!waiting.contains(held.queue) && !queue(held.queue)->name.ends_with(kRequestSuffix))
                return;
            waiting[held.queue].try_emplace(who, awaited);
        });
    }
    Waits out;
    for (const auto& [id, sessions] : waiting) {
        const Queue& q = *queue(id);
        std::vector<Names> consumers;
        for (const Consumer* consumer : q.consumers) {
            const auto found = sessions.find(consumer->session);
            if (found != sessions.end()) consumers.push_back(found->second);
        }
        if (!consumers.empty() && consumers.size() == q.consumers.size())
            out.services.emplace(serviceOf(q), std::move(consumers));
    }
    return out;
}

/// Tells of each cycle once, and not of one that is gone when it is looked for again.
void Broker::Impl::watchForDeadlocks() {
    Waits waits = whoWaits();
    waits.reduce();
    auto cycles = waits.cycles();
    for (const std::string& cycle : cycles) {
        if (!cyclesSeen_.contains(cycle) || !cyclesTold_.insert(cycle).second) continue;
        notice(Notice::Level::alarm, cycle.substr(0, cycle.find(' ')) + std::string(kRequestSuffix),
               "services wait for each other, nobody is left to answer: " + cycle);
    }
    std::erase_if(cyclesTold_, [&](const auto& cycle) { return !cycles.contains(cycle); });
    cyclesSeen_ = std::move(cycles);
}

}  // namespace busbar
