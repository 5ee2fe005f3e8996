#include "bus/store/journal/live_bodies.h"

#include "bus/message/codec.h"

#include <algorithm>

namespace busbar::journal {

void LiveBodies::add(StoredId message, const LargeBody& body) {
    bodyOf_[message] = body.id;
    const auto [at, isNew] = used_.try_emplace(body.id);
    if (isNew) bytes_ += body.size;
    Used& used = at->second;
    used.body = body;
    ++used.messages;
}

void LiveBodies::remove(StoredId message) {
    const auto at = bodyOf_.find(message);
    if (at == bodyOf_.end()) return;
    if (--used_.at(at->second).messages == 0) gone_.push_back(at->second);
    bodyOf_.erase(at);
}

std::vector<std::uint64_t> LiveBodies::takeGone() {
    std::vector<std::uint64_t> gone;
    for (const auto body : std::exchange(gone_, {})) {
        // It may have been named twice, or a message that moved may have brought it back.
        const auto at = used_.find(body);
        if (at == used_.end() || at->second.messages != 0) continue;
        bytes_ -= at->second.body.size;
        used_.erase(at);
        gone.push_back(body);
    }
    return gone;
}

std::vector<LargeBody> LiveBodies::all() const {
    std::vector<LargeBody> bodies;
    bodies.reserve(used_.size());
    for (const auto& [id, used] : used_) bodies.push_back(used.body);
    return bodies;
}

Result<BodyReferences> readBodyReferences(LiveReader& reader, const LiveIndex& index) {
    std::vector<std::pair<StoredId, Location>> marked;
    index.eachMessage([&](StoredId id, const LiveMessage& live, std::span<const Entry>) {
        if (live.summary.large) marked.emplace_back(id, live.at);
    });
    std::sort(marked.begin(), marked.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.segment, a.second.offset) <
               std::pair(b.second.segment, b.second.offset);
    });
    BodyReferences found;
    for (const auto& [id, at] : marked) {
        if (auto read = readBodyReference(reader, id, at, found); !read) return read.error();
    }
    return found;
}

Result<std::uint64_t> readBodyReference(LiveReader& reader, StoredId id, Location at,
                                        BodyReferences& found) {
    const Location whole{at.segment, at.offset - kMessageHeadBytes, at.size + kMessageHeadBytes};
    auto bytes = reader.read(whole);
    if (!bytes) return std::move(bytes).error();
    const auto message = decodeMessage(Buffer::copyOf(verifiedMessage(id, *bytes)));
    if (!message || !(*message)->large) {
        found.unreadable.push_back(id);
        return std::uint64_t{0};
    }
    found.known.push_back({id, *(*message)->large});
    return (*message)->large->size;
}

}  // namespace busbar::journal
