// The simulation: distributed transactions, whose coordinator knows what it has said and what it
// was told, and comes back after each crash.
#include "bus/core/rows.h"
#include "tests/bus/core/simulation.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <utility>

namespace busbar::test {
namespace {

BranchId branchId(std::uint64_t number) {
    return {1, "tx" + std::to_string(number), "sim"};
}

}  // namespace

void Simulation::prepareBranch(Client& client) {
    const std::uint64_t number = ++nextTransaction_;
    Branch& branch = knownBranches_[number];
    PrepareTransaction command;
    command.session = client.session;
    command.branch = branchId(number);
    for (std::uint64_t i = pick(3); i > 0 && !client.held.empty(); --i) {
        const auto it = client.held.begin();
        const std::string tag = it->second.tag;
        if (tag.empty() || !sent_[tag].persistent || sent_[tag].losable) break;
        command.accepts.push_back(it->first);
        branch.accepts.push_back(tag);
        letGo(it->second);
        sent_[tag].ordered = false;
        sent_[tag].fate = Fate::inBranch;
        client.held.erase(it);
    }
    for (std::uint64_t i = pick(3); i > 0; --i) {
        std::string tag;
        auto message = newMessage(tag);
        if (losable(message->destination.name)) message->destination.name = "q0";
        Sent& sent = sent_[tag];
        message->persistent = sent.persistent = true;
        sent.ordered = sent.losable = false;
        sent.fate = Fate::inBranch;
        branch.sends.push_back(tag);
        command.sends.push_back(std::move(message));
    }
    branch.holder = client.session;
    branch.deliveries = command.accepts;
    command.request = ask(client.session, [this, number](const Completed& c) {
        Branch& known = knownBranches_.at(number);
        known.state = Branch::State::prepared;
        if (c.error) endBranch(number, false);
    });
    submit(std::move(command));
}

/// What is known of its messages when it is over; what it acknowledged is given back by hand where
/// its session still has it.
void Simulation::endBranch(std::uint64_t number, bool committed) {
    const auto node = knownBranches_.extract(number);
    const Branch& branch = node.mapped();
    for (const auto& tag : branch.sends) {
        sent_[tag].fate = committed ? Fate::confirmed : Fate::refused;
        if (!committed) sent_.erase(tag);
    }
    for (const auto& tag : branch.accepts) {
        Sent& sent = sent_[tag];
        sent.fate = committed ? Fate::accepted : Fate::confirmed;
        sent.returned |= !committed;
    }
    if (committed) {
        confirmed_ += branch.sends.size();
        accepted_ += branch.accepts.size();
        ++branchesCommitted_;
    } else if (clientOf(branch.holder)) {
        Settle release;
        release.session = branch.holder;
        release.deliveries = branch.deliveries;
        release.outcome = Outcome::failed;
        submit(std::move(release));
    }
}

std::vector<std::uint64_t> Simulation::preparingOf(SessionId session) const {
    std::vector<std::uint64_t> out;
    for (const auto& [number, branch] : knownBranches_) {
        if (branch.holder == session && branch.state == Branch::State::preparing)
            out.push_back(number);
    }
    return out;
}

/// They may be refused, or never begun: then what they acknowledged comes back before the disk
/// tells.
void Simulation::answersOfBranchesAreLost(SessionId session) {
    for (const std::uint64_t number : preparingOf(session)) {
        for (const auto& tag : knownBranches_.at(number).accepts) {
            sent_[tag].fate = Fate::confirmed;
            sent_[tag].returned = true;
        }
    }
}

void Simulation::decideBranch(Client& client) {
    if (knownBranches_.empty()) return;
    auto at = knownBranches_.begin();
    std::advance(at, static_cast<long>(pick(knownBranches_.size())));
    if (at->second.state == Branch::State::prepared) decideOne(client, at->first);
}

void Simulation::decideOne(Client& client, std::uint64_t number) {
    Branch& branch = knownBranches_.at(number);
    branch.state = Branch::State::deciding;
    branch.commit = pick(3) != 0;
    const bool force = pick(8) == 0;
    // What nobody may see before it is decided is seen from here on, before the answer comes.
    for (const auto* tags : {&branch.sends, &branch.accepts}) {
        for (const auto& tag : *tags) {
            if (branch.commit == (tags == &branch.sends)) sent_[tag].fate = Fate::sent;
        }
    }
    DecidePrepared command{client.session, {}, branchId(number), branch.commit, force};
    const SessionId session = client.session;
    command.request = ask(session, [this, number, session, force](const Completed& c) {
        Branch& known = knownBranches_.at(number);
        if (c.error) {  // only the disk may refuse it: it is still prepared
            CPPUNIT_ASSERT_MESSAGE(c.error->text, c.error->code == ErrorCode::storageFull);
            known.state = Branch::State::prepared;
            for (const auto* tags : {&known.sends, &known.accepts}) {
                for (const auto& tag : *tags) sent_[tag].fate = Fate::inBranch;
            }
            return;
        }
        const bool committed = known.commit;
        endBranch(number, committed);
        if (!force) return;
        // The coordinator says the same, or has to be told.
        const bool agrees = pick(2) == 0;
        submit(DecidePrepared{
            session,
            ask(session, [agrees](const Completed& told) { CPPUNIT_ASSERT(agrees || told.error); }),
            branchId(number), committed == agrees, false});
        submit(ForgetPrepared{session, {}, branchId(number), false});
    });
    submit(std::move(command));
}

/// All of them, by a coordinator that has come back.
void Simulation::decideAll() {
    for (int i = 0; i < 100 && !knownBranches_.empty(); ++i) {
        std::vector<std::uint64_t> open;
        for (const auto& [number, branch] : knownBranches_) {
            if (branch.state == Branch::State::prepared) open.push_back(number);
        }
        for (const std::uint64_t number : open) decideOne(clients_[0], number);
        settleDown();
    }
    CPPUNIT_ASSERT_MESSAGE("a branch that is never over", knownBranches_.empty());
}

/// What the disk says of each branch: prepared with all it has, or over, wholly.
void Simulation::branchesAfterCrash(const std::set<std::string>& stored) {
    const auto there = [&](const std::vector<std::string>& tags) {
        return static_cast<std::size_t>(std::count_if(
            tags.begin(), tags.end(), [&](const auto& tag) { return stored.contains(tag); }));
    };
    for (auto at = knownBranches_.begin(); at != knownBranches_.end();) {
        const std::uint64_t number = at->first;
        Branch& branch = at->second;
        ++at;
        const std::string key = rows::branchKey(branchId(number));
        const auto row = store_.content().rows.find({Table::prepared, key});
        const auto read =
            row == store_.content().rows.end() ? std::nullopt : rows::readBranch(key, row->second);
        const bool prepared = read && read->state == PreparedBranch::State::prepared;
        const std::size_t sends = there(branch.sends), accepts = there(branch.accepts);
        if (prepared) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE("prepared and lost", branch.sends.size(), sends);
            CPPUNIT_ASSERT_EQUAL_MESSAGE("prepared, not decided, and gone", branch.accepts.size(),
                                         accepts);
            branch.state = Branch::State::prepared;
            branch.holder = SessionId();
            for (const auto* tags : {&branch.sends, &branch.accepts}) {
                for (const auto& tag : *tags) sent_[tag].fate = Fate::inBranch;
            }
            continue;
        }
        CPPUNIT_ASSERT_MESSAGE("prepared and forgotten", branch.state != Branch::State::prepared);
        const bool committed = branch.state == Branch::State::deciding && branch.commit;
        // After a commit both go on to lead lives of their own: sends may be consumed already, but
        // not before it was told of; what was acknowledged never comes back.
        CPPUNIT_ASSERT_MESSAGE("half of a branch: what it acknowledged",
                               accepts == (committed ? 0 : branch.accepts.size()));
        CPPUNIT_ASSERT_MESSAGE("half of a branch: what it sent", committed || sends == 0);
        branch.holder = SessionId();
        for (const auto& tag : branch.sends) sent_[tag].fate = Fate::sent;  // as any other
        const auto tags = branch.sends;
        endBranch(number, committed);
        for (const auto& tag : tags) {
            if (committed)
                CPPUNIT_ASSERT_MESSAGE("committed and lost: " + tag, stored.contains(tag));
        }
    }
}

/// After a restart the bus shows what is prepared, and nothing else.
void Simulation::checkRecoveredBranches() {
    std::set<BranchId> known, shown;
    for (const auto& [number, branch] : knownBranches_) known.insert(branchId(number));
    for (const auto& branch : broker_->picture(now_).branches) {
        if (branch.state == "prepared")
            shown.insert(branch.branch);
        else
            submit(ForgetPrepared{clients_[0].session, {}, branch.branch, true});
    }
    CPPUNIT_ASSERT_MESSAGE("other branches than what is prepared", known == shown);
}

}  // namespace busbar::test
