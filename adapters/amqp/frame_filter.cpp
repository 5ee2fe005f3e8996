#include "adapters/amqp/frame_filter.h"

#include "adapters/amqp/big_endian.h"
#include "adapters/amqp/types.h"

#include <algorithm>
#include <utility>

namespace busbar::amqp {
namespace {

// Performatives, by their descriptors (AMQP 1.0 section 2.7).
constexpr std::uint8_t kOpen = 0x10;
constexpr std::uint8_t kAttach = 0x12;
constexpr std::uint8_t kTransfer = 0x14;
constexpr std::uint8_t kDetach = 0x16;
constexpr std::uint8_t kEnd = 0x17;
constexpr std::uint8_t kOther = 0xff;  // or not told yet

constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kAttachedMax = 4096;  // attach frames that nobody asked about
constexpr std::size_t kMapBytesMax = 1u << 20;
constexpr std::size_t kTagMax = 32;

std::string_view viewOf(std::span<char> bytes) {
    return {bytes.data(), bytes.size()};
}

/// "AMQP" and a version: no frame, but where frames begin.
bool isProtocolHeader(std::string_view bytes) {
    return bytes.starts_with("AMQP");
}

std::uint16_t channelOf(std::string_view frame) {
    return static_cast<std::uint16_t>(readBig(frame.substr(6, 2)));
}

/// A performative's list, field by field: each as a value and as its bytes.
struct Fields {
    std::uint8_t code = kOther;
    std::string_view descriptor;
    std::vector<Item> values;
    std::vector<std::string_view> bytes;
    std::string_view payload;

    const Item& at(std::size_t index) const {
        static const Item kNull;
        return index < values.size() ? values[index] : kNull;
    }
};

std::uint8_t codeOf(const Item& descriptor) {
    constexpr std::pair<std::string_view, std::uint8_t> kNames[] = {
        {"amqp:open:list", kOpen},
        {"amqp:attach:list", kAttach},
        {"amqp:transfer:list", kTransfer},
        {"amqp:detach:list", kDetach},
        {"amqp:end:list", kEnd}};
    if (descriptor.type == Type::ulongType && descriptor.bits < kOther)
        return static_cast<std::uint8_t>(descriptor.bits);
    for (const auto& [name, code] : kNames) {
        if (descriptor.type == Type::symbol && descriptor.bytes == name) return code;
    }
    return kOther;
}

/// The number of fields and where they begin; false: no list.
bool listHead(std::string_view list, std::size_t& head, std::uint64_t& count) {
    if (list.empty()) return false;
    const auto code = static_cast<unsigned char>(list[0]);
    if (code != 0x45 && code != 0xc0 && code != 0xd0) return false;
    const std::size_t width = code == 0x45 ? 0 : code == 0xc0 ? 1 : 4;
    head = 1 + 2 * width;
    if (list.size() < head) return false;
    count = readBig(list.substr(1 + width, width));
    return true;
}

/// False where the frame is none of ours to understand.
bool read(std::string_view frame, Fields& fields) {
    const std::size_t begin = 4 * static_cast<std::size_t>(static_cast<unsigned char>(frame[4]));
    if (begin < kHeaderBytes || begin >= frame.size() || frame[begin] != 0) return false;
    const std::string_view body = frame.substr(begin);
    Reader descriptor(body.substr(1));
    const auto named = descriptor.next();
    if (!named) return false;
    fields.code = codeOf(*named);
    fields.descriptor = body.substr(0, 1 + descriptor.position());
    const std::string_view list = body.substr(fields.descriptor.size());
    std::size_t at = 0;
    std::uint64_t count = 0;
    if (!listHead(list, at, count)) return false;
    for (; count > 0; --count) {
        Reader reader(list.substr(at));
        auto value = reader.next();
        if (!value) return false;
        fields.values.push_back(std::move(*value));
        fields.bytes.push_back(list.substr(at, reader.position()));
        at += reader.position();
    }
    fields.payload = list.substr(at);
    return true;
}

/// The frame with these fields in place of its own.
std::string rebuild(std::string_view frame, const Fields& fields) {
    std::string body(fields.descriptor);
    Compound list(body, Compound::Kind::list);
    for (const auto field : fields.bytes) body += field;
    list.end(fields.bytes.size());
    body += fields.payload;
    std::string out;
    putBig(out, kHeaderBytes + body.size(), 4);
    out += '\2';
    out += frame.substr(5, 3);
    return out + body;
}

void setField(Fields& fields, std::size_t index, std::string_view bytes) {
    static constexpr std::string_view kNull = "\x40";
    while (fields.bytes.size() <= index) fields.bytes.push_back(kNull);
    fields.bytes[index] = bytes;
}

std::uint64_t stateOf(const Item& state) {
    constexpr std::pair<std::string_view, std::uint64_t> kStates[] = {{"amqp:received:list", 0x23},
                                                                      {"amqp:accepted:list", 0x24},
                                                                      {"amqp:rejected:list", 0x25},
                                                                      {"amqp:released:list", 0x26},
                                                                      {"amqp:modified:list", 0x27}};
    if (state.type != Type::described) return 0;
    if (state.at(0).type == Type::ulongType) return state.at(0).bits;
    for (const auto& [name, code] : kStates) {
        if (state.at(0).bytes == name) return code;
    }
    return 0;
}

std::string encode(const Unsettled::Entry& entry) {
    std::string out;
    putBinary(out, entry.tag);
    if (entry.state == 0) {
        putNull(out);
    } else {
        putDescriptor(out, static_cast<std::uint8_t>(entry.state));
        out += '\x45';  // a list of nothing
    }
    return out;
}

std::string_view boolean(bool value) {
    return value ? "\x41" : "\x42";
}

}  // namespace

// ---- in

std::size_t FrameFilter::input(std::span<char> bytes) {
    while (ahead_ < bytes.size() && !lost_) {
        const std::size_t size = frameAt(bytes.subspan(ahead_));
        if (size == 0) break;
        ahead_ += size;
    }
    if (lost_) ahead_ = bytes.size();
    return std::min(ahead_, bytes.size());
}

bool FrameFilter::wants(std::uint8_t code) const {
    if (code == kOpen || code == kAttach || code == kOther) return true;
    return !arriving_.empty() && (code == kTransfer || code == kDetach || code == kEnd);
}

/// How long the frame at the front is, which then need not be looked at again; 0: more of it has to
/// come first.
std::size_t FrameFilter::frameAt(std::span<char> bytes) {
    const std::string_view all = viewOf(bytes);
    if (all.size() < kHeaderBytes) return 0;
    if (isProtocolHeader(all)) return kHeaderBytes;
    const std::uint64_t size = readBig(all.substr(0, 4));
    if (size < kHeaderBytes || size > frameBytesMax_) {
        lost_ = true;
        return 0;
    }
    const std::size_t body = 4 * static_cast<std::size_t>(static_cast<unsigned char>(all[4]));
    if (all[5] != 0 || body + 3 > size) return size;  // no performative
    if (all.size() < body + 3) return 0;
    const bool small = all[body] == 0 && all[body + 1] == 0x53;
    if (!wants(small ? static_cast<std::uint8_t>(all[body + 2]) : kOther)) return size;
    if (all.size() < size) return 0;
    readFrame(bytes.subspan(0, size));
    return size;
}

void FrameFilter::readFrame(std::span<char> frame) {
    Fields fields;
    if (!read(viewOf(frame), fields)) return;
    switch (fields.code) {
        case kOpen:
            return readOpen(frame);
        case kAttach:
            return readAttach(viewOf(frame));
        case kTransfer:
            return readTransfer(viewOf(frame));
        case kDetach:
        case kEnd:
            return forget(arriving_, viewOf(frame));
        default:
            return;
    }
}

/// open: container-id, hostname, max-frame-size, ...
void FrameFilter::readOpen(std::span<char> frame) {
    Fields fields;
    if (!read(viewOf(frame), fields) || fields.at(2).type != Type::uintType) return;
    peerFrameBytesMax_ = std::max(kFrameBytesMin, static_cast<std::uint32_t>(fields.at(2).bits));
    const std::string_view field = fields.bytes[2];
    if (!canResume() || field.size() != 5) return;
    const auto at = static_cast<std::size_t>(field.data() - frame.data());
    for (std::size_t i = 0; i < 4; ++i)
        frame[at + 1 + i] = static_cast<char>((peerFrameBytesMax_ - kRoom) >> (8 * (3 - i)));
}

/// attach: name, handle, role (true: receiver), ..., 7: unsettled, 8: incomplete-unsettled
void FrameFilter::readAttach(std::string_view frame) {
    Fields fields;
    if (!read(frame, fields) || !fields.at(0).isText()) return;
    Attached attached{std::string(fields.at(0).bytes), !fields.at(2).isTrue(), std::nullopt};
    if (const Item& map = fields.at(7); map.type == Type::map) {
        attached.map.emplace();
        attached.map->complete = !fields.at(8).isTrue();
        const End end{channelOf(frame), fields.at(1).bits};
        Resuming resuming{attached.link, {}};
        for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
            const Item& tag = map.items[i];
            if (tag.type != Type::binary || tag.bytes.size() > kTagMax) continue;
            attached.map->entries.push_back({std::string(tag.bytes), stateOf(map.items[i + 1])});
            resuming.tags.emplace(tag.bytes);
        }
        if (attached.peerSends && !resuming.tags.empty())
            arriving_.insert_or_assign(end, std::move(resuming));
    }
    attached_.push_back(std::move(attached));
    if (attached_.size() > kAttachedMax) attached_.pop_front();
}

/// transfer: handle, delivery-id, delivery-tag, ..., 8: resume
void FrameFilter::readTransfer(std::string_view frame) {
    Fields fields;
    if (!read(frame, fields) || !fields.at(8).isTrue()) return;
    const auto found = arriving_.find({channelOf(frame), fields.at(0).bits});
    if (found == arriving_.end()) return;
    auto& [link, tags] = found->second;
    const auto tag = tags.find(fields.at(2).bytes);
    if (tag == tags.end()) return;
    resumed_.emplace_back(link, *tag);
    tags.erase(tag);
    if (tags.empty()) arriving_.erase(found);
}

/// A link's end is gone (detach: handle), or a session's with all of its links.
void FrameFilter::forget(std::map<End, Resuming>& ends, std::string_view frame) {
    Fields fields;
    if (!read(frame, fields)) return;
    const std::uint16_t channel = channelOf(frame);
    std::erase_if(ends, [&](const auto& end) {
        return end.first.first == channel &&
               (fields.code == kEnd || end.first.second == fields.at(0).bits);
    });
}

std::optional<Unsettled> FrameFilter::takeUnsettled(std::string_view link, bool peerSends) {
    const auto found = std::find_if(attached_.begin(), attached_.end(), [&](const Attached& a) {
        return a.link == link && a.peerSends == peerSends;
    });
    if (found == attached_.end()) return std::nullopt;
    auto map = std::move(found->map);
    attached_.erase(found);
    return map;
}

bool FrameFilter::takeResumed(std::string_view link, std::string_view tag) {
    const auto found = std::find_if(resumed_.begin(), resumed_.end(), [&](const auto& r) {
        return r.first == link && r.second == tag;
    });
    if (found == resumed_.end()) return false;
    resumed_.erase(found);
    return true;
}

// ---- out

void FrameFilter::answer(std::string_view link, bool weSend, Unsettled map) {
    answers_.insert_or_assign({std::string(link), weSend}, std::move(map));
}

void FrameFilter::output(std::string_view bytes, std::string& out) {
    carry_ += bytes;
    std::string_view rest = carry_;
    while (rest.size() >= kHeaderBytes) {
        const std::uint64_t size =
            isProtocolHeader(rest) ? kHeaderBytes : readBig(rest.substr(0, 4));
        if (size < kHeaderBytes) {  // no frame: not from Proton
            out += std::exchange(rest, {});
            break;
        }
        if (rest.size() < size) break;
        writeFrame(rest.substr(0, size), out);
        rest.remove_prefix(size);
    }
    carry_.erase(0, carry_.size() - rest.size());
}

void FrameFilter::writeFrame(std::string_view frame, std::string& out) {
    // Proton writes each performative's descriptor in the short form.
    const bool performative = frame.size() > kHeaderBytes + 3 && frame[4] == 2 && frame[5] == 0;
    const auto code = performative ? static_cast<std::uint8_t>(frame[kHeaderBytes + 2]) : kOther;
    if (code == kAttach && !answers_.empty() && writeAttach(frame, out)) return;
    if (code == kTransfer && !resuming_.empty() && writeTransfer(frame, out)) return;
    if ((code == kDetach || code == kEnd) && !resuming_.empty()) forget(resuming_, frame);
    out += frame;
}

bool FrameFilter::writeAttach(std::string_view frame, std::string& out) {
    Fields fields;
    if (!read(frame, fields)) return false;
    const bool weSend = !fields.at(2).isTrue();
    const auto found = answers_.find({std::string(fields.at(0).bytes), weSend});
    if (found == answers_.end()) return false;
    const auto [link, map] = std::pair(found->first.first, std::move(found->second));
    answers_.erase(found);
    setField(fields, 7, "\x40");
    setField(fields, 8, boolean(false));
    const std::size_t bare = rebuild(frame, fields).size() + 16;  // heads may become long ones
    const std::size_t room = std::min<std::size_t>(
        kMapBytesMax, peerFrameBytesMax_ - std::min<std::size_t>(peerFrameBytesMax_, bare));
    std::string encoded;
    Compound compound(encoded, Compound::Kind::map);
    std::size_t count = 0;
    Resuming resuming{link, {}};
    for (const auto& entry : map.entries) {
        const std::string bytes = encode(entry);
        if (encoded.size() + bytes.size() > room) break;
        encoded += bytes;
        ++count;
        if (weSend) resuming.tags.insert(entry.tag);
    }
    compound.end(2 * count);
    cut_ = count < map.entries.size();
    setField(fields, 7, encoded);
    setField(fields, 8, boolean(cut_ || !map.complete));
    if (!resuming.tags.empty())
        resuming_.insert_or_assign({channelOf(frame), fields.at(1).bits}, std::move(resuming));
    out += rebuild(frame, fields);
    return true;
}

bool FrameFilter::writeTransfer(std::string_view frame, std::string& out) {
    Fields fields;
    if (!read(frame, fields)) return false;
    const auto found = resuming_.find({channelOf(frame), fields.at(0).bits});
    if (found == resuming_.end()) return false;
    auto& tags = found->second.tags;
    const auto tag = tags.find(fields.at(2).bytes);
    if (tag == tags.end()) return false;
    tags.erase(tag);
    if (tags.empty()) resuming_.erase(found);
    setField(fields, 8, boolean(true));
    out += rebuild(frame, fields);
    return true;
}

}  // namespace busbar::amqp
