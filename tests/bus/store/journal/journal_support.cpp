#include "tests/bus/store/journal/journal_support.h"

#include "bus/message/codec.h"
#include "bus/store/journal/body_files.h"
#include "bus/store/journal/crc32c.h"

namespace busbar::test {

void State::apply(const UnitOfWork& unit) {
    for (const auto& operation : unit.operations) {
        if (const auto* add = std::get_if<AddMessage>(&operation)) {
            auto& stored = messages[add->id.value];
            stored.body = bodyText(*add->message);
            for (const auto queue : add->queues) stored.entries[queue.value] = {0, 0};
        } else if (const auto* remove = std::get_if<RemoveEntry>(&operation)) {
            const auto at = messages.find(remove->id.value);
            if (at == messages.end()) continue;
            at->second.entries.erase(remove->queue.value);
            if (at->second.entries.empty()) messages.erase(at);
        } else if (const auto* set = std::get_if<SetEntry>(&operation)) {
            const auto at = messages.find(set->id.value);
            if (at == messages.end()) continue;
            const auto entry = at->second.entries.find(set->queue.value);
            if (entry == at->second.entries.end()) continue;
            entry->second = {set->deliveryCount, set->deliverAt.time_since_epoch().count()};
        } else if (const auto* row = std::get_if<PutRow>(&operation)) {
            rows[{static_cast<int>(row->table), row->key}] = row->value;
        } else if (const auto* erase = std::get_if<EraseRow>(&operation)) {
            rows.erase({static_cast<int>(erase->table), erase->key});
        }
    }
}

void StateListener::onRow(Table table, std::string_view key, std::string_view value) {
    if (last_ != 0) ordered = false;
    state.rows[{static_cast<int>(table), std::string(key)}] = value;
}

void StateListener::onMessage(const MessageSummary& message, std::span<const Entry> entries) {
    const std::uint64_t id = message.id.value;
    if (id <= last_) ordered = false;
    last_ = id;
    summaries[id] = message;
    auto& stored = state.messages[id];
    for (const auto& entry : entries) {
        stored.entries[entry.queue.value] = {entry.deliveryCount,
                                             entry.deliverAt.time_since_epoch().count()};
    }
}

void ReadLog::operator()(std::vector<StoredMessage> messages) {
    std::lock_guard lock(mutex_);
    for (auto& message : messages) answers_.push_back(std::move(message));
    changed_.notify_all();
}

std::map<std::uint64_t, StoredMessage> ReadLog::read(Store& store, std::vector<std::uint64_t> ids) {
    {
        std::lock_guard lock(mutex_);
        answers_.clear();
    }
    std::vector<StoredId> wanted;
    for (const auto id : ids) wanted.emplace_back(id);
    store.read(wanted);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answers_.size() >= ids.size(); });
    std::map<std::uint64_t, StoredMessage> all;
    for (auto& answer : answers_) all[answer.id.value] = std::move(answer);
    return all;
}

std::map<std::uint64_t, std::string> bodies(const std::map<std::uint64_t, StoredMessage>& read) {
    std::map<std::uint64_t, std::string> all;
    for (const auto& [id, stored] : read) {
        all[id] = stored.message ? bodyText(*stored.message) : std::string();
    }
    return all;
}

void ProgressLog::operator()(StoreProgress progress) {
    std::lock_guard lock(mutex_);
    reports_.push_back(std::move(progress));
    changed_.notify_all();
}

void ProgressLog::waitFor(std::uint64_t sequence) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
        return !reports_.empty() &&
               (reports_.back().done.value >= sequence || reports_.back().failed);
    });
}

void ProgressLog::waitForFailure() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !reports_.empty() && reports_.back().failed; });
}

std::uint64_t ProgressLog::done() {
    std::lock_guard lock(mutex_);
    return reports_.empty() ? 0 : reports_.back().done.value;
}

std::optional<Error> ProgressLog::failed() {
    std::lock_guard lock(mutex_);
    return reports_.empty() ? std::nullopt : reports_.back().failed;
}

std::vector<StoreProgress> ProgressLog::reports() {
    std::lock_guard lock(mutex_);
    return reports_;
}

std::map<std::uint64_t, Error> ProgressLog::refused() {
    std::lock_guard lock(mutex_);
    std::map<std::uint64_t, Error> all;
    for (const auto& report : reports_) {
        for (const auto& [sequence, error] : report.refused) all[sequence.value] = error;
    }
    return all;
}

Journal::Journal(FileSystem& files, JournalOptions options, std::string directory) {
    auto made = openJournal(files, directory, options);
    if (!made) {
        opened = made.error();
        return;
    }
    store = std::move(*made);
    opened = store->recover(recovered);
    store->onProgress([this](StoreProgress report) { progress(std::move(report)); });
    store->onRead([this](std::vector<StoredMessage> messages) { reads(std::move(messages)); });
    if (opened && !readBack()) opened = Error{ErrorCode::internal, mismatch};
}

bool Journal::readBack() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, stored] : recovered.state.messages) ids.push_back(id);
    for (const auto& [id, read] : reads.read(*store, ids)) {
        const auto& summary = recovered.summaries[id];
        if (!read.message) {
            mismatch = "message " + std::to_string(id) + " cannot be read: " +
                       (read.error ? read.error->text : "the store says that it has left");
            return false;
        }
        const Message& m = *read.message;
        std::string encoded;
        encodeMessage(m, encoded);
        if (summary.bytes != encoded.size() || summary.priority != m.priority ||
            summary.persistent != m.persistent || summary.expiration != m.expiration ||
            summary.deliverAt != m.deliverAt) {
            mismatch = "the summary of message " + std::to_string(id) + " is not the message's";
            return false;
        }
        if (m.large) {
            Error why;
            const std::string body = wholeBody(*store, m, why);
            if (body.size() != m.large->size || journal::crc32c(body) != m.large->crc32c) {
                mismatch = "the body of message " + std::to_string(id) + " is another: " + why.text;
                return false;
            }
            largeBodies.insert(journal::bodyName(m.large->id));
        }
        recovered.state.messages[id].body = bodyText(m);
    }
    return true;
}

JournalOptions Journal::smallOptions() {
    JournalOptions options;
    options.segmentBytes = 64 << 10;
    options.reserveBytes = 16 << 10;
    options.slackBytes = 64 << 10;
    options.lazySyncDelay = Milliseconds(1);
    options.checkpointBytes = 48 << 10;
    return options;
}

JournalOptions Journal::logOnly() {
    auto options = smallOptions();
    options.checkpointBytes = 1ull << 40;
    return options;
}

std::uint64_t Journal::append(std::vector<UnitOfWork> units) {
    std::vector<NumberedUnit> numbered;
    for (auto& unit : units) numbered.push_back({UnitSequence(++sequence), std::move(unit)});
    store->append(std::move(numbered));
    return sequence;
}

std::uint64_t Journal::append(UnitOfWork unit) {
    std::vector<UnitOfWork> units;
    units.push_back(std::move(unit));
    return append(std::move(units));
}

MessagePtr textMessage(std::string body) {
    auto message = std::make_shared<Message>();
    message->id = "ID:test-1";
    message->destination = Destination::queue("orders");
    message->bodyKind = BodyKind::text;
    message->body = Buffer::of(std::move(body));
    return message;
}

std::shared_ptr<Message> largeMessage(Store& store, std::string_view body) {
    auto writer = store.bodies()->begin();
    if (!writer) return nullptr;
    for (const std::size_t piece = body.size() / 3 + 1; !body.empty();) {
        if (!(*writer)->append(body.substr(0, piece))) return nullptr;
        body.remove_prefix(std::min(piece, body.size()));
    }
    auto large = (*writer)->finish();
    if (!large) return nullptr;
    auto message = std::make_shared<Message>(*textMessage({}));
    message->large = std::move(*large);
    return message;
}

std::string wholeBody(Store& store, const Message& message, Error& why) {
    if (!message.large) return std::string(message.body.view());
    auto reader = store.bodies()->open(message.large);
    std::string bytes(message.large->size, '\0');
    Result<std::size_t> got = std::size_t{0};
    if (reader)
        got = (*reader)->read(0, bytes);
    else
        got = reader.error();
    if (got) return bytes.substr(0, *got);
    why = got.error();
    return {};
}

std::string bodyText(const Message& message) {
    if (!message.large) return std::string(message.body.view());
    return std::to_string(message.large->size) + " bytes, " + std::to_string(message.large->crc32c);
}

UnitOfWork withoutPins(UnitOfWork unit) {
    for (auto& operation : unit.operations) {
        auto* add = std::get_if<AddMessage>(&operation);
        if (add == nullptr || !add->message->large) continue;
        auto copy = std::make_shared<Message>(*add->message);
        copy->large = std::make_shared<const LargeBody>(*copy->large);
        add->message = copy;
    }
    return unit;
}

std::set<std::string> bodyFiles(FileSystem& files, const std::string& directory) {
    std::set<std::string> found;
    const auto names = files.list(directory);
    for (const auto& name : *names) {
        if (journal::bodyId(name) != 0) found.insert(name);
    }
    return found;
}

UnitOfWork addUnit(std::uint64_t id, std::string body, std::vector<std::uint64_t> queues,
                   Durability durability) {
    AddMessage add{StoredId(id), textMessage(std::move(body)), {}};
    for (const auto queue : queues) add.queues.push_back(QueueId(queue));
    UnitOfWork unit;
    unit.operations.push_back(std::move(add));
    unit.durability = durability;
    return unit;
}

UnitOfWork removeUnit(std::uint64_t queue, std::uint64_t id, Durability durability) {
    UnitOfWork unit;
    unit.operations.push_back(RemoveEntry{QueueId(queue), StoredId(id)});
    unit.durability = durability;
    return unit;
}

UnitOfWork rowUnit(std::string key, std::string value, Durability durability) {
    UnitOfWork unit;
    unit.operations.push_back(PutRow{Table::queues, std::move(key), std::move(value)});
    unit.durability = durability;
    return unit;
}

}  // namespace busbar::test
