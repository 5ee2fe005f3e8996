#include "bus/store/journal/checkpoint.h"

#include "bus/store/journal/crc32c.h"

#include <array>

namespace busbar::journal {
namespace {

constexpr std::string_view kMagic = "BUSBARK1";
constexpr const char* kNewName = "checkpoint.new";
constexpr std::size_t kStepBytes = 512 << 10;
constexpr std::size_t kWaitingMax = 8;
constexpr std::uint32_t kBlockBytesMax = 256 << 20;
constexpr std::uint64_t kBlockHeadBytes = 12;

enum Kind : std::uint32_t { kHead = 1, kChunks = 2, kRows = 3, kEnd = 4 };

struct BlockHead {
    std::uint32_t kind = 0;
    std::uint32_t length = 0;
    std::uint32_t crc = 0;
};

/// The number is covered, so that blocks can be neither left out nor exchanged.
std::uint32_t checksum(std::uint64_t number, std::uint32_t kind, std::string_view payload) {
    std::string head;
    putFixed(head, number);
    putFixed(head, kind);
    putFixed(head, static_cast<std::uint32_t>(payload.size()));
    return crc32c(payload, crc32c(head));
}

/// Reads block by block.
class BlockReader {
  public:
    explicit BlockReader(const File& file) : file_(file) {}

    /// The next block's kind and payload; kind 0 where there is no intact one.
    std::uint32_t next() {
        std::string head(kBlockHeadBytes, '\0');
        auto got = file_.read(position_, head);
        if (!got || *got < head.size()) return 0;
        WireReader in(head);
        const auto kind = in.fixed<std::uint32_t>();
        const auto length = in.fixed<std::uint32_t>();
        const auto crc = in.fixed<std::uint32_t>();
        if (length > kBlockBytesMax) return 0;
        const auto size = file_.size();
        if (!size || position_ + kBlockHeadBytes + length > *size) return 0;
        payload.resize(length);
        got = file_.read(position_ + kBlockHeadBytes, payload);
        if (!got || *got < length || crc != checksum(number_, kind, payload)) return 0;
        ++number_;
        position_ += kBlockHeadBytes + length;
        return kind;
    }

    std::uint64_t position() const { return position_; }
    std::uint64_t number() const { return number_; }

    std::string payload;

  private:
    const File& file_;
    std::uint64_t position_ = 0;
    std::uint64_t number_ = 0;
};

bool readHead(std::string_view payload, CheckpointHead& head) {
    WireReader in(payload);
    if (in.take(kMagic.size()) != kMagic) return false;
    head.firstEpoch = in.fixed<std::uint64_t>();
    head.oldestEpoch = in.fixed<std::uint64_t>();
    head.replay.epoch = in.fixed<std::uint64_t>();
    head.replay.offset = in.fixed<std::uint64_t>();
    head.replay.index = in.fixed<std::uint64_t>();
    return in.ok() && in.remaining() == 0 && head.firstEpoch <= head.oldestEpoch &&
           head.oldestEpoch <= head.replay.epoch &&
           head.replay.epoch - head.firstEpoch < (1ull << 31) &&
           head.replay.offset >= kFirstRecord && head.replay.offset % kAlignment == 0;
}

bool loadBlocks(BlockReader& reader, LiveIndex& index, CheckpointHead& head) {
    if (reader.next() != kHead || !readHead(reader.payload, head)) return false;
    index.dropSegmentsBefore(static_cast<std::uint32_t>(head.oldestEpoch - head.firstEpoch));
    for (;;) {
        switch (reader.next()) {
            case kChunks:
                if (!index.loadChunks(reader.payload)) return false;
                break;
            case kRows:
                if (!index.loadRows(reader.payload)) return false;
                break;
            case kEnd: {
                WireReader in(reader.payload);
                head.endIndex = in.fixed<std::uint64_t>();
                head.bytes = reader.position();
                return in.ok() && in.remaining() == 0 && head.endIndex >= head.replay.index;
            }
            default:
                return false;
        }
    }
}

}  // namespace

std::optional<CheckpointHead> loadCheckpoint(FileSystem& files, const std::string& directory,
                                             LiveIndex& index, std::string& why) {
    auto file = files.open(directory + "/" + kCheckpointName, FileSystem::Mode::read);
    if (!file) {
        if (file.error().code != ErrorCode::notFound) why = file.error().text;
        return {};
    }
    CheckpointHead head;
    BlockReader reader(**file);
    if (loadBlocks(reader, index, head)) return head;
    why = "block " + std::to_string(reader.number()) + " is damaged";
    return {};
}

CheckpointWriter::CheckpointWriter(FileSystem& files, std::string directory, const LiveIndex& index,
                                   CheckpointHead head)
    : files_(files),
      directory_(std::move(directory)),
      index_(index),
      lastChunk_(index.lastChunk()) {
    std::string payload(kMagic);
    putFixed(payload, head.firstEpoch);
    putFixed(payload, head.oldestEpoch);
    putFixed(payload, head.replay.epoch);
    putFixed(payload, head.replay.offset);
    putFixed(payload, head.replay.index);
    push(kHead, payload);
    thread_ = std::thread([this] { run(); });
}

CheckpointWriter::~CheckpointWriter() {
    {
        std::lock_guard lock(mutex_);
        givenUp_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

bool CheckpointWriter::full() {
    std::lock_guard lock(mutex_);
    return waiting_.size() >= kWaitingMax && !result_;
}

bool CheckpointWriter::step() {
    if (stage_ == Stage::done) return false;
    if (full()) return true;
    std::string part;
    if (stage_ == Stage::chunks) {
        if (!index_.copyChunks(nextChunk_, lastChunk_, kStepBytes, part)) stage_ = Stage::rows;
        if (!part.empty()) push(kChunks, part);
        return true;
    }
    if (!index_.copyRows(lastRow_, kStepBytes, part)) stage_ = Stage::done;
    if (!part.empty()) push(kRows, part);
    return stage_ != Stage::done;
}

bool CheckpointWriter::stepPatiently() {
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return waiting_.size() < kWaitingMax || result_; });
    }
    return step();
}

void CheckpointWriter::seal(std::uint64_t endIndex) {
    std::string payload;
    putFixed(payload, endIndex);
    push(kEnd, payload);
    sealed_ = true;
    std::lock_guard lock(mutex_);
    waiting_.emplace_back();
    changed_.notify_all();
}

void CheckpointWriter::push(std::uint32_t kind, const std::string& payload) {
    std::string block;
    block.reserve(kBlockHeadBytes + payload.size());
    putFixed(block, kind);
    putFixed(block, static_cast<std::uint32_t>(payload.size()));
    putFixed(block, checksum(blocks_++, kind, payload));
    block += payload;
    std::lock_guard lock(mutex_);
    if (result_) return;  // it has failed: nobody takes it
    waiting_.push_back(std::move(block));
    changed_.notify_all();
}

std::optional<Result<std::uint64_t>> CheckpointWriter::ended() {
    std::lock_guard lock(mutex_);
    return result_;
}

Result<std::uint64_t> CheckpointWriter::waitForEnd() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return result_.has_value(); });
    return *result_;
}

void CheckpointWriter::run() {
    auto written = write();
    if (!written) (void)files_.remove(directory_ + "/" + kNewName);
    std::lock_guard lock(mutex_);
    result_ = std::move(written);
    waiting_.clear();
    changed_.notify_all();
}

Result<std::uint64_t> CheckpointWriter::write() {
    const std::string path = directory_ + "/" + kNewName;
    std::uint64_t bytes = 0;
    {
        auto file = files_.open(path, FileSystem::Mode::create);
        if (!file) return std::move(file).error();
        auto emptied = (*file)->truncate(0);
        if (!emptied) return std::move(emptied).error();
        auto written = writeBlocks(**file);
        if (!written) return written;
        bytes = *written;
        auto synced = (*file)->sync();
        if (!synced) return std::move(synced).error();
    }
    auto renamed = files_.rename(path, directory_ + "/" + kCheckpointName);
    if (renamed) renamed = files_.syncDirectory(directory_);
    if (!renamed) return std::move(renamed).error();
    return bytes;
}

Result<std::uint64_t> CheckpointWriter::writeBlocks(File& file) {
    std::uint64_t at = 0;
    for (;;) {
        std::string block;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !waiting_.empty() || givenUp_; });
            if (givenUp_) return Error{ErrorCode::closed, "given up"};
            block = std::move(waiting_.front());
            waiting_.pop_front();
            changed_.notify_all();
        }
        if (block.empty()) return at;
        auto written = file.write(at, block);
        if (!written) return std::move(written).error();
        at += block.size();
    }
}

}  // namespace busbar::journal
