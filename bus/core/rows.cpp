#include "bus/core/rows.h"

#include "bus/message/wire.h"

#include <algorithm>

namespace busbar::rows {
namespace {

constexpr std::uint8_t kVersion = 3;
constexpr std::uint8_t kVersionWithoutLeases = 2;

void putOptions(std::string& out, const QueueOptions& options) {
    putFixed<std::uint32_t>(out, options.deliveriesMax);
    putFixed<std::uint64_t>(out, options.messagesMax);
    putFixed<std::uint64_t>(out, options.bytesMax);
    putFixed<std::int64_t>(out, options.ageMax.count());
    putFixed(out, static_cast<std::uint8_t>(options.whenFull));
    putFixed(out, static_cast<std::uint8_t>(options.keep));
    putFixed<std::uint8_t>(out, options.parkFailedGroups ? 1 : 0);
    putVarint(out, options.redeliveryDelays.size());
    for (const Milliseconds delay : options.redeliveryDelays)
        putFixed<std::int64_t>(out, delay.count());
    putFixed<std::int64_t>(out, options.lease.count());
}

QueueOptions readOptions(WireReader& in, std::uint8_t version) {
    QueueOptions options;
    options.deliveriesMax = in.fixed<std::uint32_t>();
    options.messagesMax = in.fixed<std::uint64_t>();
    options.bytesMax = in.fixed<std::uint64_t>();
    options.ageMax = Milliseconds(in.fixed<std::int64_t>());
    options.whenFull = static_cast<WhenFull>(std::min<std::uint8_t>(
        in.fixed<std::uint8_t>(), static_cast<std::uint8_t>(WhenFull::spill)));
    options.keep = static_cast<Keep>(
        std::min<std::uint8_t>(in.fixed<std::uint8_t>(), static_cast<std::uint8_t>(Keep::memory)));
    options.parkFailedGroups = in.fixed<std::uint8_t>() != 0;
    for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n)
        options.redeliveryDelays.emplace_back(in.fixed<std::int64_t>());
    if (version > kVersionWithoutLeases) options.lease = Milliseconds(in.fixed<std::int64_t>());
    return options;
}

Table tableOf(const Queue& queue) {
    return queue.subscription ? Table::subscriptions : Table::queues;
}

}  // namespace

std::string idKey(QueueId id) {
    std::string key;
    putFixed(key, id.value);
    return key;
}

std::string idKey(StoredId id) {
    std::string key;
    putFixed(key, id.value);
    return key;
}

std::optional<std::uint64_t> readIdKey(std::string_view key) {
    WireReader in(key);
    const auto id = in.fixed<std::uint64_t>();
    if (!in.ok() || in.remaining() != 0 || id == 0) return std::nullopt;
    return id;
}

Operation definition(const Queue& queue) {
    std::string value;
    putFixed(value, kVersion);
    putString(value, queue.name);
    putOptions(value, queue.options);
    if (queue.subscription) {
        const SubscriptionInfo& info = *queue.subscription;
        putString(value, info.pattern);
        putString(value, info.clientId);
        putString(value, info.name);
        putFixed<std::uint8_t>(
            value, static_cast<std::uint8_t>((info.shared ? 1 : 0) | (info.noLocal ? 2 : 0)));
        putString(value, info.selectorText);
    }
    return PutRow{tableOf(queue), idKey(queue.id), std::move(value)};
}

Operation eraseDefinition(const Queue& queue) {
    return EraseRow{tableOf(queue), idKey(queue.id)};
}

std::optional<Definition> readDefinition(Table table, std::string_view key,
                                         std::string_view value) {
    WireReader keyIn(key);
    WireReader in(value);
    Definition out;
    out.id = QueueId(keyIn.fixed<std::uint64_t>());
    const auto version = in.fixed<std::uint8_t>();
    if (version != kVersion && version != kVersionWithoutLeases) return std::nullopt;
    out.name = in.string();
    out.options = readOptions(in, version);
    if (table == Table::subscriptions) {
        auto info = std::make_unique<SubscriptionInfo>();
        info->pattern = in.string();
        info->clientId = in.string();
        info->name = in.string();
        const auto flags = in.fixed<std::uint8_t>();
        info->shared = (flags & 1) != 0;
        info->noLocal = (flags & 2) != 0;
        info->selectorText = in.string();
        if (!info->selectorText.empty()) {
            auto parsed = Selector::parse(info->selectorText);
            if (!parsed) return std::nullopt;
            info->selector = std::move(*parsed);
        }
        out.subscription = std::move(info);
    }
    if (!in.ok() || !keyIn.ok() || !out.id) return std::nullopt;
    return out;
}

std::string entryKey(QueueId queue, StoredId message) {
    std::string key;
    putFixed(key, queue.value);
    putFixed(key, message.value);
    return key;
}

std::string failures(const std::vector<Failure>& failures) {
    std::string value;
    putVarint(value, failures.size());
    for (const Failure& failure : failures) {
        putFixed<std::int64_t>(value, failure.time.time_since_epoch().count());
        putString(value, failure.text);
    }
    return value;
}

std::optional<KnownFailures> readFailures(std::string_view key, std::string_view value) {
    WireReader keyIn(key);
    WireReader in(value);
    KnownFailures out;
    out.queue = QueueId(keyIn.fixed<std::uint64_t>());
    out.message = StoredId(keyIn.fixed<std::uint64_t>());
    for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) {
        Failure failure;
        failure.time = WallTime(Milliseconds(in.fixed<std::int64_t>()));
        failure.text = in.string();
        out.failures.push_back(std::move(failure));
    }
    if (!in.ok() || !keyIn.ok()) return std::nullopt;
    return out;
}

namespace {

constexpr std::uint8_t kBranchVersion = 1;
enum class BranchRow : std::uint8_t { prepared, committed, rolledBack };

void putPlaces(std::string& out, const std::vector<PreparedBranch::Place>& places) {
    putVarint(out, places.size());
    for (const auto& at : places) {
        putVarint(out, at.queue.value);
        putVarint(out, at.id.value);
    }
}

std::vector<PreparedBranch::Place> readPlaces(WireReader& in) {
    std::vector<PreparedBranch::Place> places;
    for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) {
        PreparedBranch::Place at;
        at.queue = QueueId(in.varint());
        at.id = StoredId(in.varint());
        at.found = false;
        places.push_back(at);
    }
    return places;
}

}  // namespace

std::string branchKey(const BranchId& id) {
    std::string key;
    putFixed(key, id.format);
    putString(key, id.global);
    putString(key, id.branch);
    return key;
}

std::string branch(const PreparedBranch& branch) {
    const bool over = branch.force;
    std::string value;
    putFixed(value, kBranchVersion);
    putFixed(value, !over           ? BranchRow::prepared
                    : branch.commit ? BranchRow::committed
                                    : BranchRow::rolledBack);
    putString(value, branch.user);
    putFixed<std::int64_t>(value, branch.preparedAt.time_since_epoch().count());
    putString(value, branch.decidedBy);
    putFixed<std::int64_t>(value, branch.decidedAt.time_since_epoch().count());
    putVarint(value, branch.messages);
    putVarint(value, branch.bytes);
    static const PreparedBranch kNothing;
    const PreparedBranch& held = over ? kNothing : branch;
    putPlaces(value, held.sends);
    putPlaces(value, held.accepts);
    putVarint(value, held.dedupKeys.size());
    for (const auto& key : held.dedupKeys) putString(value, key);
    return value;
}

std::optional<PreparedBranch> readBranch(std::string_view key, std::string_view value) {
    WireReader keyIn(key);
    WireReader in(value);
    PreparedBranch out;
    out.id.format = keyIn.fixed<std::int32_t>();
    out.id.global = keyIn.string();
    out.id.branch = keyIn.string();
    if (in.fixed<std::uint8_t>() != kBranchVersion) return std::nullopt;
    const auto state = in.fixed<std::uint8_t>();
    if (state > static_cast<std::uint8_t>(BranchRow::rolledBack)) return std::nullopt;
    out.force = static_cast<BranchRow>(state) != BranchRow::prepared;
    out.commit = static_cast<BranchRow>(state) == BranchRow::committed;
    out.state = out.force ? PreparedBranch::State::forced : PreparedBranch::State::prepared;
    out.user = in.string();
    out.preparedAt = WallTime(Milliseconds(in.fixed<std::int64_t>()));
    out.decidedBy = in.string();
    out.decidedAt = WallTime(Milliseconds(in.fixed<std::int64_t>()));
    out.messages = in.varint();
    out.bytes = in.varint();
    out.sends = readPlaces(in);
    out.accepts = readPlaces(in);
    for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n)
        out.dedupKeys.emplace_back(in.string());
    if (!in.ok() || !keyIn.ok()) return std::nullopt;
    return out;
}

std::string groupKey(QueueId queue, std::string_view group) {
    std::string key(kGroupPrefix);
    putFixed(key, queue.value);
    key += group;
    return key;
}

}  // namespace busbar::rows
