// MessageAck: what becomes of messages, and how many more the client takes.
#include "adapters/openwire/connection.h"

#include <algorithm>

namespace busbar::openwire {
namespace {

constexpr std::size_t kReasonMax = 1024;
constexpr std::string_view kSuppresses = "Suppressing duplicate";

std::string reasonOf(const MessageAck& ack) {
    if (!ack.poisonCause) return "the client gave up on it";
    std::string reason = ack.poisonCause->message.value_or("");
    if (reason.empty()) reason = ack.poisonCause->className.value_or("the client gave up on it");
    return reason.substr(0, kReasonMax);
}

bool settles(const MessageAck& ack) {
    return ack.ackKind != MessageAck::kDelivered && ack.ackKind != MessageAck::kRedelivered;
}

/// Within a transaction are the acknowledgements that say "done"; that a client cannot use a
/// message is true whatever becomes of its transaction.
bool enlists(const MessageAck& ack) {
    return ack.ackKind == MessageAck::kStandard || ack.ackKind == MessageAck::kIndividual ||
           ack.ackKind == MessageAck::kUnmatched;
}

}  // namespace

void Connection::on(MessageAck& ack) {
    replaying_ = false;
    const Answer answer = answerTo(ack);
    TransactionPtr transaction;
    if (ack.transactionId && enlists(ack)) {
        auto found = findTransaction(ack.transactionId);
        if (!found) {
            if (answer.wanted) refuse(answer, found.error());
            return;  // its commit will be told
        }
        transaction = std::move(*found);
        // They are not played back: it goes on, or was begun behind the playback.
        if (!transaction->ended) transaction->replayed = false;
    }
    Consumer* consumer = findConsumer(ack.consumerId);
    if (consumer && consumer->sources.empty() && !consumer->browse) return reply(answer);
    if (!ack.lastMessageId) {
        return refuse(answer,
                      {ErrorCode::invalidArgument, "MessageAck without the last message id"});
    }
    if (consumer && acknowledge(ack, *consumer, transaction, answer)) return;
    if (transaction) {
        // Played back by a client that has failed over; its messages may still come.
        if (transaction->early.size() < options_.transaction.operationsMax)
            transaction->early.push_back(std::move(ack));
        else
            transaction->failed =
                Error{ErrorCode::limitReached, "too many acknowledgements of unknown messages"};
        return reply(answer);
    }
    // It may cross with the end of its consumer: harmless where nobody waits.
    if (!answer.wanted) return;
    if (!settles(ack)) return reply(answer);
    refuse(answer, {ErrorCode::lockLost,
                    "'" + toText(*ack.lastMessageId) +
                        "' is not in this consumer's hands: it was acknowledged before, or given "
                        "to another when the connection was lost"});
}

/// False where the messages are not in the consumer's hands.
bool Connection::acknowledge(const MessageAck& ack, Consumer& consumer,
                             const TransactionPtr& transaction, const Answer& answer) {
    Window& window = consumer.window;
    auto range = window.find(ack.firstMessageId.get(), *ack.lastMessageId, ack.messageCount);
    if (!range) return false;
    if (ack.ackKind == MessageAck::kIndividual) range->first = range->end - 1;
    window.sawUpTo(range->end);
    if (ack.ackKind == MessageAck::kRedelivered) {
        reply(answer);
        return true;
    }
    if (ack.ackKind == MessageAck::kDelivered) {
        for (auto at = range->first; at < range->end; ++at) open(consumer, window.at(at));
        reply(answer);
        return true;
    }
    const auto taken = take(consumer, *range);
    if (transaction && !consumer.browse) {
        for (const auto position : taken) {
            window.at(position).state = Window::State::enlisted;
            transaction->enlisted.emplace_back(consumer.key, position);
            auto enlisted = transaction->work.accept(window.at(position).id);
            if (!enlisted) transaction->failed = enlisted.error();
        }
        reply(answer);
        return true;
    }
    if (ack.ackKind == MessageAck::kExpired) {
        settle(consumer, taken, Outcome::expired, {}, answer);
    } else if (ack.ackKind == MessageAck::kPoison) {
        const bool suppresses =
            !taken.empty() && suppressesDuplicate(ack, window.at(taken.front()));
        settle(consumer, taken, suppresses ? Outcome::accepted : Outcome::rejected, reasonOf(ack),
               answer);
    } else {
        settle(consumer, taken, Outcome::accepted, {}, answer);
    }
    trim(consumer);
    return true;
}

void Connection::trim(Consumer& consumer) {
    for (const auto source : consumer.window.trim()) {
        if (consumer.prefetch != 0) ++credits_[source];
    }
}

/// Those of the range that are open, each with its credit given back.
std::vector<Window::Position> Connection::take(Consumer& consumer, Window::Range range) {
    std::vector<Window::Position> taken;
    for (auto at = range.first; at < range.end; ++at) {
        Window::Entry& entry = consumer.window.at(at);
        // What has lapsed is asked for too: the bus says that it is too late.
        if (entry.state != Window::State::open && entry.state != Window::State::lapsed) continue;
        open(consumer, entry);
        taken.push_back(at);
    }
    return taken;
}

/// Room for one more, once for each message. Who pulls asks for each.
void Connection::open(Consumer& consumer, Window::Entry& entry) {
    if (std::exchange(entry.opened, true) || consumer.prefetch == 0) return;
    if (consumer.browse)
        ++consumer.browse->credit;
    else
        ++credits_[entry.source];
}

void Connection::settle(Consumer& consumer, const std::vector<Window::Position>& taken,
                        Outcome outcome, std::string reason, const Answer& answer) {
    Window& window = consumer.window;
    Settle command;
    command.session = session_;
    for (const auto position : taken) {
        window.at(position).state = Window::State::settled;
        if (window.at(position).id) command.deliveries.push_back(window.at(position).id);
    }
    if (consumer.browse) {
        reply(answer);
        return browse(consumer);
    }
    if (outcome == Outcome::accepted) {
        accepts_.insert(accepts_.end(), command.deliveries.begin(), command.deliveries.end());
        if (answer.wanted) acceptAnswers_.push_back(answer);
        return;
    }
    command.outcome = outcome;
    command.reason = std::move(reason);
    if (answer.wanted) {
        command.request = expect([this, answer](Completed& done) {
            if (done.error) return refuse(answer, *done.error);
            reply(answer);
        });
    }
    host_.bus().submit(std::move(command));
}

/// The client remembers having had it, on this connection before it broke: it was processed, and
/// its acknowledgement was lost. Only where that can be.
bool Connection::suppressesDuplicate(const MessageAck& ack, const Window::Entry& entry) const {
    if (!ack.poisonCause || !ack.poisonCause->message) return false;
    const bool before = entry.count > 1 || reconnected_;
    return before && ack.poisonCause->message->find(kSuppresses) != std::string::npos;
}

/// Acknowledgements that come together go over, and become durable, together.
void Connection::flushAccepts() {
    if (!session_ || (accepts_.empty() && acceptAnswers_.empty())) return;
    Settle command;
    command.session = session_;
    command.deliveries = std::exchange(accepts_, {});
    if (!acceptAnswers_.empty()) {
        command.request =
            expect([this, answers = std::exchange(acceptAnswers_, {})](Completed& done) {
                for (const Answer& answer : answers) {
                    if (done.error)
                        refuse(answer, *done.error);
                    else
                        reply(answer);
                }
            });
    }
    host_.bus().submit(std::move(command));
}

/// What this turn's commands add up to.
void Connection::flush() {
    flushAccepts();
    if (!session_ || state_ != State::connected) return;
    for (const auto& [source, credit] : credits_) {
        if (credit != 0) host_.bus().submit(AddCredit{session_, source, credit});
    }
    credits_.clear();
}

}  // namespace busbar::openwire
