// A queue that is obviously right: a plain list, looked through from its head each time. The broker
// must do the same (queue_model_test.cpp).
//
// One queue, no groups. Times are milliseconds since the start. Each verb does what the broker has
// done when everything is durable and was read; what it hands out is in `given`, in its order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace busbar::test {

class QueueModel {
  public:
    using Time = std::int64_t;
    using Number = std::uint64_t;
    static constexpr std::uint32_t kDeliveriesMax = 4;
    static constexpr Time kNever = -1;

    enum class State { pending, ready, delayed, held };
    struct Message {
        Number number = 0;  ///< ascending: the order of arrival
        int priority = 4;
        bool persistent = true;
        Time expires = kNever;
        Time deliverAt = 0;  ///< as it was sent; 0: at once
        Time dueAt = 0;      ///< of delayed ones
        State state = State::pending;
        std::uint32_t count = 0, storedCount = 0;
        std::uint64_t holder = 0;  ///< consumer; 0: a lease
        Time leaseUntil = kNever;
    };
    using Selects = std::function<bool(Number)>;
    struct Consumer {
        std::uint64_t id = 0;
        int priority = 0;
        std::uint64_t credit = 0;
        bool windowed = false;
        Selects selects;
        std::uint64_t turn = 0;
    };
    struct Given {
        std::uint64_t consumer = 0;
        Number number = 0;
        std::uint32_t count = 0;
        bool operator==(const Given&) const = default;
    };
    enum class End { accepted, released, failed, rejected, expired };

    std::vector<Given> given;
    std::size_t messagesMax = 0;  ///< 0: no limit
    std::vector<Time> redeliveryDelays;

    /// Messages that are sent together: persistent ones are seen when the disk has them. Tells
    /// which of them were taken.
    std::vector<bool> send(const std::vector<Message>& together) {
        std::vector<bool> taken;
        for (const Message& message : together) {
            taken.push_back(messagesMax == 0 || messages_.size() < messagesMax);
            if (taken.back()) messages_.push_back(message);
        }
        for (const bool persistent : {false, true}) {
            for (Message& m : messages_) {
                if (m.state == State::pending && m.persistent == persistent) wait(m, m.deliverAt);
            }
            settleDown();
        }
        return taken;
    }

    void attach(Consumer consumer) {
        consumer.turn = ++turns_;
        consumers_.push_back(std::move(consumer));
        settleDown();
    }
    void detach(std::uint64_t id) {
        std::erase_if(consumers_, [&](const Consumer& c) { return c.id == id; });
        for (const Message& m : std::vector<Message>(messages_)) {
            if (m.state == State::held && m.leaseUntil == kNever && m.holder == id)
                fail(*find(m.number), 0);
        }
        settleDown();
    }
    void addCredit(std::uint64_t id, std::int64_t credit) {
        Consumer& c = *consumer(id);
        if (credit > 0 && c.credit == 0) c.turn = ++turns_;
        c.credit = static_cast<std::uint64_t>(
            std::max<std::int64_t>(0, static_cast<std::int64_t>(c.credit) + credit));
        settleDown();
    }

    void settle(Number number, End end, Time delay) {
        Message& m = *find(number);
        if (m.leaseUntil == kNever) giveBack(m.holder);
        if (end == End::released) {
            --m.count;
            wait(m, delay > 0 ? now_ + delay : 0);
        } else if (end == End::failed) {
            fail(m, delay);
        } else {
            erase(number);
        }
        settleDown();
    }

    /// What a fetch may get at most, in order.
    std::vector<Number> fetchable(const Selects& selects, std::size_t max) const {
        std::vector<Number> out;
        for (const Message* m : inOrder()) {
            if (m->state == State::ready && selects(m->number) && out.size() < max)
                out.push_back(m->number);
        }
        return out;
    }
    void fetch(const std::vector<Number>& numbers, Time lease) {
        for (const Number number : numbers) {
            Message& m = *find(number);
            m.state = State::held;
            m.holder = 0;
            m.leaseUntil = now_ + lease;
            ++m.count;
        }
    }

    /// Takes away what waits (not what is held): how many.
    std::uint64_t remove(const Selects& selects, std::uint64_t max) {
        std::uint64_t count = 0;
        for (const Message& m : copyInOrder()) {
            const bool waits = m.state == State::ready || m.state == State::delayed;
            if (!waits || !selects(m.number) || (max > 0 && count == max)) continue;
            erase(m.number);
            ++count;
        }
        return count;
    }

    void pass(Time time) {
        now_ += time;
        for (const Message& m : copyInOrder()) {
            if (m.state == State::delayed && m.dueAt <= now_) find(m.number)->state = State::ready;
            if (m.state == State::held && m.leaseUntil != kNever && m.leaseUntil <= now_)
                fail(*find(m.number), 0);
        }
        settleDown();
    }

    /// The process ends and starts again.
    void restart() {
        consumers_.clear();
        std::erase_if(messages_, [](const Message& m) { return !m.persistent; });
        for (Message& m : messages_) {
            m.count = m.storedCount;
            wait(m, m.deliverAt);  // delays of another try end with the process
        }
        settleDown();
    }

    /// In order of arrival.
    const std::vector<Message>& messages() const { return messages_; }
    const std::vector<Consumer>& consumers() const { return consumers_; }
    Time now() const { return now_; }

  private:
    Message* find(Number number) {
        const auto at = std::find_if(messages_.begin(), messages_.end(),
                                     [&](const Message& m) { return m.number == number; });
        return at == messages_.end() ? nullptr : &*at;
    }
    Consumer* consumer(std::uint64_t id) {
        const auto at = std::find_if(consumers_.begin(), consumers_.end(),
                                     [&](const Consumer& c) { return c.id == id; });
        return at == consumers_.end() ? nullptr : &*at;
    }
    void erase(Number number) {
        std::erase_if(messages_, [&](const Message& m) { return m.number == number; });
    }
    /// Higher priority first, then the earlier one.
    std::vector<const Message*> inOrder() const {
        std::vector<const Message*> out;
        for (const Message& m : messages_) out.push_back(&m);
        std::stable_sort(out.begin(), out.end(), [](const Message* a, const Message* b) {
            return a->priority > b->priority;
        });
        return out;
    }
    std::vector<Message> copyInOrder() const {
        std::vector<Message> out;
        for (const Message* m : inOrder()) out.push_back(*m);
        return out;
    }
    void wait(Message& m, Time dueAt) {
        m.leaseUntil = kNever;
        m.dueAt = dueAt;
        m.state = dueAt > now_ ? State::delayed : State::ready;
    }
    void fail(Message& m, Time delay) {
        if (m.count >= kDeliveriesMax) return erase(m.number);  // a dead letter
        m.storedCount = m.count;
        if (delay == 0 && !redeliveryDelays.empty())
            delay = redeliveryDelays[std::min<std::size_t>(m.count, redeliveryDelays.size()) - 1];
        wait(m, delay > 0 ? now_ + delay : 0);
    }
    void giveBack(std::uint64_t id) {
        Consumer* c = consumer(id);
        if (!c || !c->windowed) return;
        if (c->credit++ == 0) c->turn = ++turns_;
    }
    /// What has expired goes; then the consumers get what they may have: of those for whom there is
    /// something, the one of the highest priority whose turn it is, its first message.
    void settleDown() {
        std::erase_if(messages_, [&](const Message& m) {
            const bool waits = m.state == State::ready || m.state == State::delayed;
            return waits && m.expires != kNever && m.expires <= now_;
        });
        for (;;) {
            Consumer* best = nullptr;
            Number number = 0;
            for (Consumer& c : consumers_) {
                if (c.credit == 0) continue;
                const auto first = fetchable(c.selects, 1);
                const bool better = !best || c.priority > best->priority ||
                                    (c.priority == best->priority && c.turn < best->turn);
                if (first.empty() || !better) continue;
                best = &c;
                number = first[0];
            }
            if (!best) return;
            Message& m = *find(number);
            m.state = State::held;
            m.holder = best->id;
            m.leaseUntil = kNever;
            --best->credit;
            best->turn = ++turns_;
            given.push_back({best->id, number, ++m.count});
        }
    }

    std::vector<Message> messages_;
    std::vector<Consumer> consumers_;
    std::uint64_t turns_ = 0;
    Time now_ = 0;
};

}  // namespace busbar::test
