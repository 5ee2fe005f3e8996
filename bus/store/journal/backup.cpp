#include "bus/store/journal/backup.h"

#include "bus/store/journal/body_files.h"
#include "bus/store/journal/checkpoint.h"
#include "bus/store/journal/journal.h"
#include "bus/store/journal/log_scan.h"

#include <fmt/format.h>

#include <algorithm>

namespace busbar {
namespace journal {
namespace {

constexpr std::uint64_t kPiece = 1 << 20;

}  // namespace

void addCheckpoint(FileSystem& files, const std::string& directory, std::vector<CopyPart>& parts) {
    auto file = files.open(directory + "/" + kCheckpointName, FileSystem::Mode::read);
    if (!file) return;
    auto size = (*file)->size();
    if (size) parts.push_back({kCheckpointName, std::move(*file), *size});
}

CopyPart bodyPart(const std::string& directory, LargeBodyPtr body) {
    const std::string name = bodyName(body->id);
    const std::uint64_t size = body->size;
    return {name, nullptr, size, directory + "/" + name, std::move(body)};
}

Result<void> addBodies(FileSystem& files, const std::string& directory,
                       std::vector<CopyPart>& parts) {
    auto names = files.list(directory);
    if (!names) return std::move(names).error();
    for (const auto& name : *names) {
        if (bodyId(name) != 0) parts.push_back({name, nullptr, 0, directory + "/" + name});
    }
    return {};
}

Result<void> prepareTarget(FileSystem& files, const std::string& target) {
    auto made = files.makeDirectory(target);
    if (!made) return made;
    auto names = files.list(target);
    if (!names) return std::move(names).error();
    if (!names->empty()) {
        return Error{ErrorCode::alreadyExists,
                     fmt::format("{} is not empty: {} is in it", target, names->front())};
    }
    const auto parent = target.rfind('/');
    if (parent == std::string::npos || parent == 0) return {};
    return files.syncDirectory(target.substr(0, parent));
}

Result<void> copyParts(FileSystem& files, const std::vector<CopyPart>& parts,
                       const std::string& target, const std::function<bool(double)>& goOn) {
    std::uint64_t total = 1;
    std::uint64_t copied = 0;
    for (const auto& part : parts) total += part.bytes;
    std::string piece;
    for (const auto& part : parts) {
        if (!part.bodyPath.empty()) {
            auto done = copyBody(files, part.bodyPath, target + "/" + part.name, [&] {
                return goOn(static_cast<double>(copied) / static_cast<double>(total));
            });
            if (!done && done.error().code != ErrorCode::notFound) return done;
            copied += part.bytes;
            continue;
        }
        auto to = files.open(target + "/" + part.name, FileSystem::Mode::create);
        if (!to) return std::move(to).error();
        for (std::uint64_t at = 0; at < part.bytes; at += piece.size()) {
            piece.resize(std::min(kPiece, part.bytes - at));
            auto got = part.file->read(at, piece);
            if (!got) return std::move(got).error();
            if (*got < piece.size()) {
                return Error{ErrorCode::storageFailed, part.name + " became shorter"};
            }
            auto written = (*to)->write(at, piece);
            if (!written) return written;
            copied += piece.size();
            if (!goOn(static_cast<double>(copied) / static_cast<double>(total))) {
                return Error{ErrorCode::closed, "the backup was stopped"};
            }
        }
        auto synced = (*to)->sync();
        if (!synced) return synced;
        part.file->dropCache(0, part.bytes);
        (*to)->dropCache(0, part.bytes);
    }
    return files.syncDirectory(target);
}

Backup::Backup(FileSystem& files, std::vector<CopyPart> parts, std::string target,
               Store::BackupHandler handler, std::function<void()> wake)
    : files_(files),
      parts_(std::move(parts)),
      target_(std::move(target)),
      handler_(std::move(handler)),
      wake_(std::move(wake)),
      thread_([this] { run(); }) {}

Backup::~Backup() {
    stopping_ = true;
    thread_.join();
}

void Backup::run() {
    double told = 0;
    auto done = prepareTarget(files_, target_);
    if (done) {
        done = copyParts(files_, parts_, target_, [&](double share) {
            if (share >= told + 0.01) {
                told = share;
                handler_(share, nullptr);
            }
            return !stopping_;
        });
    }
    parts_.clear();
    ended_ = true;  // first, so that who is told may ask for the next one
    wake_();
    handler_(done ? 1.0 : told, &done);
}

}  // namespace journal

Result<void> backupJournal(FileSystem& files, const std::string& directory,
                           const std::string& target, const std::function<void(double)>& progress) {
    using namespace journal;
    auto lock = lockJournal(files, directory);
    if (!lock) return std::move(lock).error();
    auto layout = readLayout(files, directory);
    if (!layout) return std::move(layout).error();
    if (!layout->damages.empty()) {
        return Error{ErrorCode::storageCorrupt, fmt::format("{}/{}; repair it first", directory,
                                                            toText(layout->damages.front()))};
    }
    auto prepared = prepareTarget(files, target);
    if (!prepared) return prepared;
    std::vector<CopyPart> parts;
    for (const auto& segment : layout->log) {
        const std::string name = segmentName(segment.file);
        auto file = files.open(directory + "/" + name, FileSystem::Mode::read);
        if (!file) return std::move(file).error();
        parts.push_back({name, std::move(*file), segment.allocated});
    }
    addCheckpoint(files, directory, parts);
    auto added = addBodies(files, directory, parts);
    if (!added) return added;
    return copyParts(files, parts, target, [&](double share) {
        if (progress) progress(share);
        return true;
    });
}

}  // namespace busbar
