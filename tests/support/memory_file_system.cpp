#include "tests/support/memory_file_system.h"

#include <algorithm>
#include <cstring>

namespace busbar::test {
namespace {

constexpr std::uint64_t kSector = 512;

Error dead() {
    return {ErrorCode::storageFailed, "the machine that had this file open is gone"};
}

/// Puts the part of a write that lies in [from, to) into `image`.
void apply(std::string& image, std::uint64_t offset, std::string_view bytes, std::uint64_t from,
           std::uint64_t to) {
    const std::uint64_t begin = std::max(offset, from);
    const std::uint64_t end = std::min<std::uint64_t>(offset + bytes.size(), to);
    if (begin >= end) return;
    if (image.size() < end) image.resize(end, '\0');
    std::memcpy(image.data() + begin, bytes.data() + (begin - offset), end - begin);
}

void apply(std::string& image, std::uint64_t offset, std::string_view bytes) {
    apply(image, offset, bytes, 0, ~0ull);
}

}  // namespace

class MemoryFile final : public File {
  public:
    MemoryFile(MemoryFileSystem& disk, MemoryFileSystem::NodePtr node, bool writable)
        : disk_(disk), node_(std::move(node)), generation_(disk.generation_), writable_(writable) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_) return dead();
        const std::string& bytes = node_->current;
        if (offset >= bytes.size()) return std::size_t{0};
        const std::size_t size = std::min<std::uint64_t>(into.size(), bytes.size() - offset);
        std::memcpy(into.data(), bytes.data() + offset, size);
        return size;
    }

    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_ || !writable_) return dead();
        return disk_.write(*node_, offset, bytes);
    }

    Result<void> sync() override {
        std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_) return dead();
        return disk_.sync(*node_);
    }

    Result<std::uint64_t> size() const override {
        std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_) return dead();
        return static_cast<std::uint64_t>(node_->current.size());
    }

    Result<void> truncate(std::uint64_t size) override {
        std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_ || !writable_) return dead();
        node_->current.resize(size);
        if (node_->durable.size() > size) node_->durable.resize(size);
        std::erase_if(node_->unsynced, [&](const auto& w) { return w.offset >= size; });
        for (auto& w : node_->unsynced) {
            w.bytes.resize(std::min<std::uint64_t>(w.bytes.size(), size - w.offset));
        }
        return {};
    }

    void dropCache(std::uint64_t, std::uint64_t) override {}

  private:
    MemoryFileSystem& disk_;
    MemoryFileSystem::NodePtr node_;
    std::uint64_t generation_;
    bool writable_;
};

class MemoryLock final : public FileLock {
  public:
    MemoryLock(MemoryFileSystem& disk, std::string path)
        : disk_(disk), path_(std::move(path)), generation_(disk.generation_) {}
    ~MemoryLock() override {
        std::lock_guard lock(disk_.mutex_);
        const auto at = disk_.locks_.find(path_);
        if (at != disk_.locks_.end() && at->second == generation_) disk_.locks_.erase(at);
    }

  private:
    MemoryFileSystem& disk_;
    std::string path_;
    std::uint64_t generation_;
};

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path, Mode mode) {
    std::lock_guard lock(mutex_);
    auto at = names_.find(path);
    if (at == names_.end()) {
        if (mode != Mode::create) return Error{ErrorCode::notFound, "no file " + path};
        at = names_.emplace(path, std::make_shared<Node>()).first;
        nameChanges_.push_back({path, at->second, {}});
    }
    return std::unique_ptr<File>(
        std::make_unique<MemoryFile>(*this, at->second, mode != Mode::read));
}

Result<std::vector<std::string>> MemoryFileSystem::list(const std::string& directory) {
    std::lock_guard lock(mutex_);
    if (!directories_.contains(directory))
        return Error{ErrorCode::notFound, "no directory " + directory};
    std::vector<std::string> found;
    const std::string prefix = directory + "/";
    for (const auto& [path, node] : names_) {
        if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos) {
            found.push_back(path.substr(prefix.size()));
        }
    }
    return found;
}

Result<void> MemoryFileSystem::makeDirectory(const std::string& directory) {
    std::lock_guard lock(mutex_);
    for (auto at = directory.find('/', 1); at != std::string::npos;
         at = directory.find('/', at + 1)) {
        directories_.insert(directory.substr(0, at));
    }
    directories_.insert(directory);
    return {};
}

Result<void> MemoryFileSystem::rename(const std::string& from, const std::string& to) {
    std::lock_guard lock(mutex_);
    if (directories_.contains(from)) return renameDirectory(from, to);
    const auto at = names_.find(from);
    if (at == names_.end()) return Error{ErrorCode::notFound, "no file " + from};
    const NodePtr node = at->second;
    names_.erase(at);
    names_[to] = node;
    nameChanges_.push_back({to, node, from});
    return {};
}

Result<void> MemoryFileSystem::renameDirectory(const std::string& from, const std::string& to) {
    const std::string prefix = from + "/";
    for (auto* names : {&names_, &durableNames_}) {
        for (const auto& [path, node] : *names) {
            if (path.starts_with(to + "/")) {
                return Error{ErrorCode::storageFailed, "not empty: " + to};
            }
        }
        std::map<std::string, NodePtr> moved;
        for (const auto& [path, node] : *names) {
            moved[path.starts_with(prefix) ? to + path.substr(from.size()) : path] = node;
        }
        *names = std::move(moved);
    }
    for (auto& change : nameChanges_) {
        for (auto* path : {&change.path, &change.erased}) {
            if (path->starts_with(prefix)) *path = to + path->substr(from.size());
        }
    }
    directories_.erase(from);
    directories_.insert(to);
    return {};
}

Result<void> MemoryFileSystem::link(const std::string& from, const std::string& to) {
    std::lock_guard lock(mutex_);
    const auto at = names_.find(from);
    if (at == names_.end()) return Error{ErrorCode::notFound, "no file " + from};
    if (names_.contains(to)) return Error{ErrorCode::alreadyExists, "there is a " + to};
    names_[to] = at->second;
    nameChanges_.push_back({to, at->second, {}});
    return {};
}

Result<void> MemoryFileSystem::remove(const std::string& path) {
    std::lock_guard lock(mutex_);
    if (names_.erase(path) == 0) return Error{ErrorCode::notFound, "no file " + path};
    nameChanges_.push_back({{}, nullptr, path});
    return {};
}

Result<void> MemoryFileSystem::syncDirectory(const std::string&) {
    std::lock_guard lock(mutex_);
    durableNames_ = names_;
    nameChanges_.clear();
    return {};
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::lock(const std::string& path) {
    std::lock_guard guard(mutex_);
    const auto at = locks_.find(path);
    if (at != locks_.end() && at->second == generation_) {
        return Error{ErrorCode::inUse, path + " is locked by another process"};
    }
    locks_[path] = generation_;
    return std::unique_ptr<FileLock>(std::make_unique<MemoryLock>(*this, path));
}

Result<std::uint64_t> MemoryFileSystem::freeBytes(const std::string&) {
    std::lock_guard lock(mutex_);
    const std::uint64_t used = bytesUsedLocked();
    return used < capacity_ ? capacity_ - used : 0;
}

Result<void> MemoryFileSystem::write(Node& node, std::uint64_t offset, std::string_view bytes) {
    ++writes_;
    bool fails = false;
    bool full = false;
    if (failWriteAt_ != 0 && --failWriteAt_ == 0) {
        fails = true;
        bytes = bytes.substr(0, bytes.size() / 2);
    }
    const std::uint64_t end = offset + bytes.size();
    if (end > node.current.size()) {
        const std::uint64_t used = bytesUsedLocked();
        const std::uint64_t room = used < capacity_ ? capacity_ - used : 0;
        if (end - node.current.size() > room) {
            full = true;
            const std::uint64_t last = node.current.size() + room;
            bytes = bytes.substr(0, last > offset ? last - offset : 0);
        }
    }
    apply(node.current, offset, bytes);
    if (!bytes.empty()) node.unsynced.push_back({offset, std::string(bytes)});
    if (fails) return Error{ErrorCode::storageFailed, "injected write failure"};
    if (full) return Error{ErrorCode::storageFull, "no room on the memory disk"};
    return {};
}

Result<void> MemoryFileSystem::sync(Node& node) {
    ++syncs_;
    if (failSyncAt_ != 0 && --failSyncAt_ == 0) {
        std::mt19937_64 random(syncs_);
        settle(node, random);
        return Error{ErrorCode::storageFailed, "injected sync failure"};
    }
    for (const auto& w : node.unsynced) apply(node.durable, w.offset, w.bytes);
    node.unsynced.clear();
    return {};
}

void MemoryFileSystem::settle(Node& node, std::mt19937_64& random) const {
    // Some crashes lose nothing or everything: those must work as well as the mixed ones.
    const auto style = random() % 4;
    std::map<std::uint64_t, std::vector<std::size_t>>
        versions;  // sector -> the writes that touch it
    for (std::size_t i = 0; i < node.unsynced.size(); ++i) {
        const auto& w = node.unsynced[i];
        for (auto s = w.offset / kSector; s * kSector < w.offset + w.bytes.size(); ++s) {
            versions[s].push_back(i);
        }
    }
    for (const auto& [sector, touching] : versions) {
        std::size_t kept = random() % (touching.size() + 1);
        if (style == 0) kept = 0;
        if (style == 1) kept = touching.size();
        for (std::size_t i = 0; i < kept; ++i) {
            const auto& w = node.unsynced[touching[i]];
            apply(node.durable, w.offset, w.bytes, sector * kSector, (sector + 1) * kSector);
        }
    }
    node.unsynced.clear();
}

void MemoryFileSystem::crash(std::uint64_t seed) {
    std::lock_guard lock(mutex_);
    std::mt19937_64 random(seed);
    ++generation_;
    for (const auto& change : nameChanges_) {
        if (random() % 2 == 0) continue;
        if (!change.erased.empty()) durableNames_.erase(change.erased);
        if (change.node) durableNames_[change.path] = change.node;
    }
    nameChanges_.clear();
    names_ = durableNames_;
    for (auto& [path, node] : names_) {
        settle(*node, random);
        node->current = node->durable;
    }
}

void MemoryFileSystem::kill() {
    std::lock_guard lock(mutex_);
    ++generation_;
}

void MemoryFileSystem::failWrite(std::uint64_t n) {
    std::lock_guard lock(mutex_);
    failWriteAt_ = n;
}

void MemoryFileSystem::failSync(std::uint64_t n) {
    std::lock_guard lock(mutex_);
    failSyncAt_ = n;
}

void MemoryFileSystem::setCapacity(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    capacity_ = bytes;
}

void MemoryFileSystem::flipBit(const std::string& path, std::uint64_t offset, unsigned bit) {
    std::lock_guard lock(mutex_);
    const auto at = names_.find(path);
    if (at == names_.end()) return;
    for (auto* image : {&at->second->current, &at->second->durable}) {
        if (offset < image->size()) {
            (*image)[offset] = static_cast<char>((*image)[offset] ^ (1u << bit));
        }
    }
}

std::string MemoryFileSystem::content(const std::string& path) const {
    std::lock_guard lock(mutex_);
    const auto at = names_.find(path);
    return at == names_.end() ? std::string() : at->second->current;
}

void MemoryFileSystem::setContent(const std::string& path, std::string bytes) {
    std::lock_guard lock(mutex_);
    auto node = std::make_shared<Node>();
    node->current = bytes;
    node->durable = std::move(bytes);
    names_[path] = node;
    durableNames_[path] = node;
}

std::uint64_t MemoryFileSystem::bytesUsed() const {
    std::lock_guard lock(mutex_);
    return bytesUsedLocked();
}

std::uint64_t MemoryFileSystem::bytesUsedLocked() const {
    std::uint64_t sum = 0;
    std::set<const Node*> counted;
    for (const auto& [path, node] : names_) {
        if (counted.insert(node.get()).second) sum += node->current.size();
    }
    return sum;
}

std::uint64_t MemoryFileSystem::writes() const {
    std::lock_guard lock(mutex_);
    return writes_;
}

std::uint64_t MemoryFileSystem::syncs() const {
    std::lock_guard lock(mutex_);
    return syncs_;
}

}  // namespace busbar::test
