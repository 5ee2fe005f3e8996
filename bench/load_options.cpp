#include "bench/load_options.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

namespace busbar::bench {

const char* const kLoadHelp = R"(usage: busbar-load [options]

Drives any STOMP 1.2 server and prints one line of JSON: what was sent, confirmed and received, exact losses,
duplicates and changes of order, rates, latencies (ms). Exit code 0: all arrived once; 1: loss or duplicates;
2: usage; 3: the server refused, closed or did not answer.

  --host A --port N --login U --passcode P    the server (127.0.0.1 61613 admin admin)
  --producers N --consumers N --queues N      producer and consumer i use queue i modulo queues (1 1 1)
  --topic                                     one topic; every consumer has to get every message
  --prefix /queue/ --name bench               destinations are PREFIX NAME NUMBER
  --header K:V                                on every SEND and SUBSCRIBE; may be repeated
  --seconds S | --messages M                  how long, or how many messages together (3 s)
  --size B --persistent 0|1                   body bytes (1024; at least 24), persistent (1)
  --receipts 0|1                              ask a receipt for every send (as persistent)
  --window W                                  unanswered receipts of a producer; 1: each send waits (1000)
  --backlog N                                 sent and not yet received, all together; 0: no limit (20000)
  --prefetch N --ack auto|client|client-individual --ack-every N    how consumers take (1000 client-individual 1)
  --rate R                                    offer R messages a second whatever the answers (open loop); latencies
                                              count from the time a message should have been sent
  --request-reply N                           producers are requesters with N outstanding, consumers answer
  --transaction N                             N sessions move messages from one queue to another, one a transaction
  --keys K                                    message i has the header key = i modulo K, and consumer i takes only
                                              those of key i, by a selector
  --delay MS                                  messages are to be delivered so much later; arrivals count from then on,
                                              and what comes over 1 ms early is counted ("early")
  --run ID, --drain N                         send under this run's name; take the N messages that a run of this name left
  --connections-idle N                        so many more connections that do nothing
  --drain-seconds S                           give up when nothing arrives for so long (10)
  --server-pid P                              report the processor time and memory of process P and its children

example:  busbar-load --port 61613 --producers 4 --consumers 4 --queues 4 --seconds 5
)";

namespace {

template <class T>
bool number(const std::string& text, T& out) {
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && rest == text.data() + text.size();
}

bool boolean(const std::string& text, bool& out) {
    out = text == "1";
    return text == "0" || text == "1";
}

using Setters = std::map<std::string, std::function<bool(LoadOptions&, const std::string&)>>;

template <class T>
Setters::mapped_type numeric(T LoadOptions::*member) {
    return [member](LoadOptions& o, const std::string& v) { return number(v, o.*member); };
}

Setters::mapped_type text(std::string LoadOptions::*member) {
    return [member](LoadOptions& o, const std::string& v) {
        o.*member = v;
        return true;
    };
}

Setters setters() {
    using O = LoadOptions;
    return {
        {"--host", text(&O::host)},
        {"--port", numeric(&O::port)},
        {"--login", text(&O::login)},
        {"--passcode", text(&O::passcode)},
        {"--producers", numeric(&O::producers)},
        {"--consumers", numeric(&O::consumers)},
        {"--queues", numeric(&O::queues)},
        {"--prefix", text(&O::prefix)},
        {"--name", text(&O::name)},
        {"--seconds", numeric(&O::seconds)},
        {"--messages", numeric(&O::messages)},
        {"--size", numeric(&O::size)},
        {"--window", numeric(&O::window)},
        {"--backlog", numeric(&O::backlog)},
        {"--prefetch", numeric(&O::prefetch)},
        {"--ack-every", numeric(&O::ackEvery)},
        {"--rate", numeric(&O::rate)},
        {"--keys", numeric(&O::keys)},
        {"--delay", numeric(&O::delayMs)},
        {"--connections-idle", numeric(&O::idle)},
        {"--drain-seconds", numeric(&O::drainSeconds)},
        {"--server-pid", numeric(&O::serverPid)},
        {"--persistent", [](O& o, const std::string& v) { return boolean(v, o.persistent); }},
        {"--receipts",
         [](O& o, const std::string& v) { return o.receiptsGiven = true, boolean(v, o.receipts); }},
        {"--header",
         [](O& o, const std::string& v) {
             return o.headers.push_back(v), v.find(':') != std::string::npos;
         }},
        {"--ack",
         [](O& o, const std::string& v) {
             return o.ack = v, v == "auto" || v == "client" || v == "client-individual";
         }},
        {"--drain", numeric(&O::drain)},
        {"--run", numeric(&O::run)},
        {"--request-reply",
         [](O& o, const std::string& v) {
             return o.mode = O::Mode::requestReply, number(v, o.window);
         }},
        {"--transaction",
         [](O& o, const std::string& v) {
             return o.mode = O::Mode::transaction, number(v, o.sessions);
         }},
    };
}

/// What follows from the mode, and what cannot be.
Result<LoadOptions> settle(LoadOptions o) {
    if (!o.receiptsGiven) o.receipts = o.persistent;
    if (o.prefix.empty()) o.prefix = o.topic ? "/topic/" : "/queue/";
    if (o.topic) o.queues = 1;
    if (o.ack == "auto") o.ackEvery = 1;
    o.ackEvery = std::clamp(o.ackEvery, 1U, std::max(o.prefetch / 2, 1U));
    if (o.ack != "client") o.ackEvery = 1;
    o.window = std::max(o.window, 1U);
    if (o.mode == LoadOptions::Mode::requestReply) o.receipts = false;
    if (o.mode == LoadOptions::Mode::transaction) o.queues = o.producers = o.consumers = 1;
    if (o.drain > 0 && (o.run == 0 || o.consumers == 0 || o.mode != LoadOptions::Mode::send)) {
        return Error{ErrorCode::invalidArgument, "--drain goes with --run and consumers"};
    }
    const bool busy = o.producers > 0 && (o.consumers > 0 || o.receipts);
    if (!busy && o.idle == 0)
        return Error{ErrorCode::invalidArgument,
                     "nothing to do: without consumers, sends need receipts"};
    if (o.producers > 0 && (o.queues == 0 || (o.consumers > 0 && o.queues > o.consumers))) {
        return Error{ErrorCode::invalidArgument,
                     "each queue needs a consumer: more consumers, or fewer queues"};
    }
    if (o.keys > 0 && (o.queues != 1 || o.consumers % o.keys != 0 || o.keys > 10'000)) {
        return Error{ErrorCode::invalidArgument,
                     "--keys K goes with one queue and K consumers (or none), up to 10 000"};
    }
    if (o.topic && o.mode != LoadOptions::Mode::send)
        return Error{ErrorCode::invalidArgument, "--topic goes with plain sends only"};
    return o;
}

}  // namespace

Result<LoadOptions> parseLoadOptions(const std::vector<std::string>& words) {
    const Setters known = setters();
    LoadOptions options;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--topic") {
            options.topic = true;
            continue;
        }
        const auto found = known.find(words[i]);
        if (found == known.end())
            return Error{ErrorCode::invalidArgument, "what is '" + words[i] + "'?"};
        if (i + 1 == words.size())
            return Error{ErrorCode::invalidArgument, words[i] + " needs a value"};
        ++i;
        if (!found->second(options, words[i]))
            return Error{ErrorCode::invalidArgument,
                         words[i - 1] + " cannot be '" + words[i] + "'"};
    }
    return settle(std::move(options));
}

}  // namespace busbar::bench
