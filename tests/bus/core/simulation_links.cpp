// The simulation: producers whose links survive their connections. Each asks, when it comes back,
// what became of the sends that it has no answer of, and sends again what was not taken: in the end
// each message is there once.
#include "bus/core/link_memory.h"
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {
namespace {

constexpr const char* kLinkQueue = "links";  // nobody consumes from it before drain()

}  // namespace

void Simulation::linking() {
    Producer& producer = producers_[pick(producers_.size())];
    if (!producer.session) return resumeLink(producer);
    if (!producer.resumed) return pick(3) == 0 ? loseConnection(producer) : flush();
    switch (pick(10)) {
        case 0:
            return loseConnection(producer);
        case 1:
            return pick(4) == 0 ? endLink(producer) : flush();
        case 2:
            return resumeElsewhere(producer);
        case 3:
            return forgetSends(producer);
        case 4:
            return pick(8) == 0 ? linksAtRest() : flush();
        default:
            return sendOverLink(producer);
    }
}

/// With the tags of all sends that have no answer, and of some that have one and that the client
/// has not said that it knows.
void Simulation::resumeLink(Producer& producer) {
    producer.session = SessionId(nextSession_++);
    producer.resumed = false;
    submit(OpenSession{producer.session, {}, "user", "", "sim", {}, false, {"admin"}});
    ResumeLink command{producer.session, RequestId(++nextRequest_), producer.link()};
    producer.resume = command.request;
    std::erase_if(producer.answered, [&](const auto&) { return pick(3) == 0; });
    for (const auto* sends : {&producer.open, &producer.answered}) {
        for (const auto& [tag, mark] : *sends) command.tags.push_back(tag);
    }
    submit(std::move(command));
    if (pick(2) == 0) flush();
}

void Simulation::on(LinkResumed& r) {
    const auto at = std::find_if(producers_.begin(), producers_.end(), [&](const Producer& p) {
        return p.session == r.session && p.resume == r.request;
    });
    if (at == producers_.end()) return;  // its connection was lost meanwhile
    CPPUNIT_ASSERT_MESSAGE("a link resumed twice", !at->resumed);
    CPPUNIT_ASSERT_MESSAGE(r.error ? r.error->text : "", !r.error);
    at->resumed = true;
    ++linksResumed_;
    std::map<std::string, std::string> known;
    for (auto& [tag, id] : r.known)
        CPPUNIT_ASSERT_MESSAGE("named twice: " + tag, known.emplace(tag, id).second);
    for (const auto& [tag, mark] : at->answered) {
        CPPUNIT_ASSERT_MESSAGE("answered, and not known: " + tag, known.contains(tag));
        CPPUNIT_ASSERT_EQUAL(marks_.at(mark), known.at(tag));
        known.erase(tag);
    }
    const auto stored = storedMarks();
    for (const auto& [tag, mark] : std::exchange(at->open, {})) {
        const auto taken = known.find(tag);
        const auto there = stored.find(mark);
        if (taken == known.end()) {
            CPPUNIT_ASSERT_MESSAGE("stored, and not known: " + mark, there == stored.end());
            at->again.push_back(mark);
            continue;
        }
        CPPUNIT_ASSERT_MESSAGE("known, and not stored: " + mark, there != stored.end());
        CPPUNIT_ASSERT_EQUAL(there->second, taken->second);
        marks_[mark] = taken->second;
        at->answered[tag] = mark;
        known.erase(taken);
    }
    CPPUNIT_ASSERT_MESSAGE("not asked for", known.empty());
}

/// First what was not taken, then something new. Tags come again when the client knows their
/// outcome.
void Simulation::sendOverLink(Producer& producer) {
    std::string tag;
    do {
        tag = "g" + std::to_string(pick(50));
    } while (producer.open.contains(tag) || producer.answered.contains(tag));
    std::string mark = "l" + std::to_string(++made_);
    if (!producer.again.empty()) {
        mark = producer.again.back();
        producer.again.pop_back();
    }
    producer.open[tag] = mark;
    submitOverLink(producer, tag, mark,
                   [this, link = producer.name, tag, mark](const Completed& c) {
                       Producer& sender = producers_[link];
                       CPPUNIT_ASSERT_EQUAL(std::size_t(1), sender.open.erase(tag));
                       if (c.error) return sender.again.push_back(mark);
                       marks_[mark] = c.value;
                       sender.answered[tag] = mark;
                   });
    if (producer.open.size() + producer.answered.size() > 40) forgetSends(producer);
}

void Simulation::submitOverLink(const Producer& producer, const std::string& tag,
                                const std::string& mark,
                                std::function<void(const Completed&)> answered) {
    auto message = std::make_shared<Message>();
    message->correlationId = mark;
    message->destination = Destination::queue(kLinkQueue);
    Send command{producer.session, ask(producer.session, std::move(answered)), std::move(message)};
    command.link = producer.link();
    command.tag = tag;
    submit(std::move(command));
}

/// The client has settled all sends whose outcome it knows: nothing need be remembered of them.
void Simulation::forgetSends(Producer& producer) {
    ForgetSends command{producer.session, producer.link()};
    for (const auto& [tag, mark] : std::exchange(producer.answered, {}))
        command.tags.push_back(tag);
    if (!command.tags.empty()) submit(std::move(command));
}

/// Closed for good, once nothing is on its way: the bus has nothing to remember.
void Simulation::endLink(Producer& producer) {
    if (!producer.open.empty()) return flush();
    producer.answered.clear();
    submit(ForgetSends{producer.session, producer.link()});
    loseConnection(producer);
}

/// Answers that were not there yet never come.
void Simulation::loseConnection(Producer& producer) {
    if (pick(2) == 0) flush();
    const SessionId old = std::exchange(producer.session, SessionId());
    std::erase_if(asks_, [&](const auto& asked) { return asked.first.first == old; });
    submit(CloseSession{old});
}

/// The client comes back before its lost connection was noticed: what still comes over that one is
/// taken no more.
void Simulation::resumeElsewhere(Producer& producer) {
    const Producer lost = producer;
    std::erase_if(asks_, [&](const auto& asked) { return asked.first.first == lost.session; });
    resumeLink(producer);
    submitOverLink(lost, "late", "late", [](const Completed& c) {
        CPPUNIT_ASSERT_MESSAGE("taken over a link that is another's",
                               c.error && c.error->code == ErrorCode::conflict);
    });
    submit(ForgetSends{lost.session, lost.link()});  // has no effect
    const bool full = store_.full();
    store_.setFull(false);
    settleDown();
    store_.setFull(full);
    submit(CloseSession{lost.session});
}

/// By mark: the id of the message that is stored. Each mark at most once.
std::map<std::string, std::string> Simulation::storedMarks() const {
    std::map<std::string, std::string> out;
    for (const auto& [id, stored] : store_.content().messages) {
        if (stored.message->destination.name != kLinkQueue) continue;
        CPPUNIT_ASSERT_MESSAGE(
            "stored twice: " + stored.message->correlationId,
            out.emplace(stored.message->correlationId, stored.message->id).second);
    }
    return out;
}

/// What every client knows to be stored is; nothing else is, but for what has no answer yet.
void Simulation::checkMarks() const {
    auto stored = storedMarks();
    for (const auto& [mark, id] : marks_) {
        CPPUNIT_ASSERT_MESSAGE("answered and lost: " + mark, stored.contains(mark));
        CPPUNIT_ASSERT_EQUAL(id, stored.at(mark));
        stored.erase(mark);
    }
    for (const auto& producer : producers_) {
        for (const auto& [tag, mark] : producer.open) stored.erase(mark);
    }
    CPPUNIT_ASSERT_MESSAGE(stored.empty() ? "" : "refused and stored: " + stored.begin()->first,
                           stored.empty());
}

/// How many sends the disk remembers of a link.
std::size_t Simulation::rowsOfLink(const Producer& producer) const {
    const std::string prefix = LinkMemory::rowKey(LinkMemory::key("user", producer.link()), {});
    std::size_t rows = 0;
    for (auto at = store_.content().rows.lower_bound({Table::instance, prefix});
         at != store_.content().rows.end() && at->first.second.starts_with(prefix); ++at)
        ++rows;
    return rows;
}

void Simulation::linksAtRest() {
    const bool full = store_.full();
    store_.setFull(false);
    settleDown();
    checkMarks();
    for (const auto& producer : producers_) {
        if (!producer.session) continue;
        CPPUNIT_ASSERT_MESSAGE("a link was never resumed", producer.resumed);
        CPPUNIT_ASSERT_MESSAGE("a send was never answered", producer.open.empty());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("sends that are remembered", producer.answered.size(),
                                     rowsOfLink(producer));
    }
    store_.setFull(full);
}

void Simulation::linksAfterCrash() {
    for (auto& producer : producers_) producer.session = SessionId();
    checkMarks();
}

/// All come back, send what is left, and close their links.
void Simulation::endLinks() {
    for (auto& producer : producers_) {
        if (!producer.session) resumeLink(producer);
        settleDown();
        while (!producer.again.empty()) sendOverLink(producer);
        settleDown();
        endLink(producer);
        settleDown();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("what is remembered of a closed link", std::size_t(0),
                                     rowsOfLink(producer));
    }
    checkMarks();
}

}  // namespace busbar::test
