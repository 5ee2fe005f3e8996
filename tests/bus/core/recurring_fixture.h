// What the tests of recurring schedules share.
#pragma once

#include "bus/core/schedules.h"
#include "tests/bus/core/broker_harness.h"

#include <cppunit/TestAssert.h>
#include <cppunit/TestFixture.h>

#include <memory>
#include <string>
#include <vector>

namespace busbar::test {

using namespace std::chrono_literals;
using std::string;

inline std::shared_ptr<FileSystem> files() {
    static const std::shared_ptr<FileSystem> kFiles = makePosixFileSystem();
    return kFiles;
}

inline BrokerOptions options() {
    BrokerOptions out;
    out.zones = std::make_shared<SystemZones>(*files());
    return out;
}

inline RecurrencePtr every(Milliseconds period, std::int64_t repeats = kRepeatForever,
                           Milliseconds delay = 0ms) {
    auto rule = std::make_shared<Recurrence>();
    rule->period = period;
    rule->repeats = repeats;
    rule->delay = delay;
    return rule;
}

inline RecurrencePtr cron(const string& text, const string& zone = "UTC") {
    auto rule = std::make_shared<Recurrence>();
    rule->cron = text;
    rule->zone = zone;
    return rule;
}

class RecurringFixture : public CppUnit::TestFixture {
  protected:
    BrokerHarness h{options()};

    std::shared_ptr<Message> recurring(const string& queue, const string& body,
                                       RecurrencePtr rule) {
        auto message = h.text(queue, body);
        message->recurrence = std::move(rule);
        return message;
    }
    Completed make(SessionId s, std::shared_ptr<Message> message) {
        h.run(Send{s, RequestId(7), std::move(message)});
        return *h.take<Completed>();
    }
    StoredId made(SessionId s, const string& queue, RecurrencePtr rule) {
        const auto answer = make(s, recurring(queue, "tick", std::move(rule)));
        CPPUNIT_ASSERT_MESSAGE(answer.error ? answer.error->text : "", !answer.error);
        const auto number = scheduleNumber(answer.value);
        CPPUNIT_ASSERT(number);
        return *number;
    }
    std::vector<SchedulePicture> list(SessionId s) {
        h.run(ListSchedules{s, RequestId(8)});
        return h.take<Pictured>()->picture->schedules;
    }
    Completed ask(Command command) {
        h.run(std::move(command));
        return *h.take<Completed>();
    }
    std::uint64_t in(const string& queue) { return h.queue(queue).in; }
    /// Waits step by step, as a driver that ticks when it was asked to.
    void waitStepwise(Milliseconds time, Milliseconds step = 10ms) {
        for (; time > 0ms; time -= step) h.wait(step);
    }
};

}  // namespace busbar::test
