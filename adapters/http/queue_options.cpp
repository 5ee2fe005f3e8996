#include "adapters/http/queue_options.h"

#include "adapters/http/parameters.h"

#include <array>

namespace busbar::http {
namespace {

constexpr std::uint64_t kTimeMax = 3650ull * 24 * 3600 * 1000;
constexpr std::size_t kDelaysMax = 100;

constexpr std::array<std::string_view, 4> kWhenFull{"reject", "block", "drop-oldest", "spill"};
constexpr std::array<std::string_view, 3> kKeep{"fsync", "os", "none"};

template <class E, std::size_t N>
Result<void> readName(E& into, std::string_view key, std::string_view text,
                      const std::array<std::string_view, N>& names) {
    std::string expected;
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == text) {
            into = static_cast<E>(i);
            return {};
        }
        expected += (i == 0 ? "" : ", ") + std::string(names[i]);
    }
    return {ErrorCode::invalidArgument, std::string(key) + ": '" + std::string(text.substr(0, 64)) +
                                            "' is none of " + expected};
}

template <class N>
Result<void> readNumber(N& into, std::string_view key, std::string_view text, std::uint64_t max) {
    const auto number = numberOf(key, text, 0, 0, max);
    if (!number) return number.error();
    into = static_cast<N>(*number);
    return {};
}

Result<void> readTime(Milliseconds& into, std::string_view key, std::string_view text) {
    std::int64_t number = 0;
    auto read = readNumber(number, key, text, kTimeMax);
    if (read) into = Milliseconds(number);
    return read;
}

Result<void> readDelays(std::vector<Milliseconds>& into, std::string_view key,
                        std::string_view text) {
    std::vector<Milliseconds> delays;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        Milliseconds delay{};
        if (auto read = readTime(delay, key, text.substr(0, end)); !read) return read;
        delays.push_back(delay);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (delays.size() > kDelaysMax) {
        return {ErrorCode::invalidArgument,
                std::string(key) + ": at most " + std::to_string(kDelaysMax) + " times"};
    }
    into = std::move(delays);
    return {};
}

struct Row {
    std::string_view key;
    Result<void> (*read)(QueueOptions&, std::string_view key, std::string_view text);
    void (*write)(const QueueOptions&, JsonWriter&);
};

using Key = std::string_view;
using Text = std::string_view;

/// docs/http-messages.md, "Options of a queue", lists the same rows.
constexpr std::array<Row, 9> kRows{{
    {"deliveriesMax",
     [](QueueOptions& o, Key k, Text t) {
         return readNumber(o.deliveriesMax, k, t, ~std::uint32_t{0});
     },
     [](const QueueOptions& o, JsonWriter& json) { json.number(o.deliveriesMax); }},
    {"messagesMax",
     [](QueueOptions& o, Key k, Text t) {
         return readNumber(o.messagesMax, k, t, ~std::uint64_t{0});
     },
     [](const QueueOptions& o, JsonWriter& json) { json.number(o.messagesMax); }},
    {"bytesMax",
     [](QueueOptions& o, Key k, Text t) { return readNumber(o.bytesMax, k, t, ~std::uint64_t{0}); },
     [](const QueueOptions& o, JsonWriter& json) { json.number(o.bytesMax); }},
    {"ageMaxMs", [](QueueOptions& o, Key k, Text t) { return readTime(o.ageMax, k, t); },
     [](const QueueOptions& o, JsonWriter& json) { json.signedNumber(o.ageMax.count()); }},
    {"whenFull",
     [](QueueOptions& o, Key k, Text t) { return readName(o.whenFull, k, t, kWhenFull); },
     [](const QueueOptions& o, JsonWriter& json) {
         json.string(kWhenFull[static_cast<std::size_t>(o.whenFull)]);
     }},
    {"durability", [](QueueOptions& o, Key k, Text t) { return readName(o.keep, k, t, kKeep); },
     [](const QueueOptions& o, JsonWriter& json) {
         json.string(kKeep[static_cast<std::size_t>(o.keep)]);
     }},
    {"parkFailedGroups",
     [](QueueOptions& o, Key k, Text t) -> Result<void> {
         const auto flag = booleanOf(k, t, false);
         if (!flag) return flag.error();
         o.parkFailedGroups = *flag;
         return {};
     },
     [](const QueueOptions& o, JsonWriter& json) { json.boolean(o.parkFailedGroups); }},
    {"redeliveryDelaysMs",
     [](QueueOptions& o, Key k, Text t) { return readDelays(o.redeliveryDelays, k, t); },
     [](const QueueOptions& o, JsonWriter& json) {
         json.beginArray();
         for (const Milliseconds delay : o.redeliveryDelays) json.signedNumber(delay.count());
         json.endArray();
     }},
    {"leaseMs", [](QueueOptions& o, Key k, Text t) { return readTime(o.lease, k, t); },
     [](const QueueOptions& o, JsonWriter& json) { json.signedNumber(o.lease.count()); }},
}};

}  // namespace

Result<QueueOptions> readQueueOptions(const FlatObject& fields, QueueOptions options) {
    for (const auto& [key, text] : fields) {
        const Row* found = nullptr;
        std::string known;
        for (const Row& row : kRows) {
            if (row.key == key) found = &row;
            known += (known.empty() ? "" : ", ") + std::string(row.key);
        }
        if (!found) {
            return {ErrorCode::invalidArgument,
                    "queues have no option '" + key + "', but: " + known};
        }
        if (auto read = found->read(options, key, text); !read) return read.error();
    }
    return options;
}

void writeQueueOptions(JsonWriter& json, const QueueOptions& options) {
    for (const Row& row : kRows) {
        json.key(row.key);
        row.write(options, json);
    }
}

}  // namespace busbar::http
