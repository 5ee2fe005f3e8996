#include "adapters/amqp/large_message.h"

#include "adapters/amqp/big_endian.h"

#include <algorithm>
#include <limits>

namespace busbar::amqp {
namespace {

constexpr std::size_t kSymbolMax = 64;  // of a descriptor: the longest that we know has 28

/// The first bytes of a section: descriptor, constructor, size.
struct SectionHead {
    Section section = Section::data;
    std::uint8_t code = 0;      ///< the constructor
    std::size_t bytes = 0;      ///< of the head itself
    std::uint64_t payload = 0;  ///< what follows it
};

enum class Parsed : unsigned char { whole, cut, bad };

/// How long the descriptor at the front is; 0: more bytes are needed, npos: it is none of ours.
std::size_t descriptorBytes(std::string_view bytes) {
    if (bytes.empty()) return 0;
    switch (static_cast<unsigned char>(bytes[0])) {
        case 0x53:
            return 2;
        case 0x80:
            return 9;
        case 0xa3:
            if (bytes.size() < 2) return 0;
            return 2 + readBig(bytes.substr(1, 1));
        case 0xb3:
            if (bytes.size() < 5) return 0;
            return readBig(bytes.substr(1, 4)) > kSymbolMax ? bytes.npos
                                                            : 5 + readBig(bytes.substr(1, 4));
        default:
            return bytes.npos;
    }
}

/// Width of the size that follows a constructor; npos: not one that a section of ours begins with.
std::size_t sizeWidth(std::uint8_t code) {
    switch (code) {
        case 0x45:
            return 0;
        case 0xa0:
        case 0xa1:
        case 0xc0:
        case 0xc1:
            return 1;
        case 0xb0:
        case 0xb1:
        case 0xd0:
        case 0xd1:
            return 4;
        default:
            return std::string_view::npos;
    }
}

Parsed parseHead(std::string_view bytes, SectionHead& head) {
    if (bytes.empty()) return Parsed::cut;
    if (bytes[0] != 0) return Parsed::bad;
    const std::size_t descriptor = descriptorBytes(bytes.substr(1));
    if (descriptor == bytes.npos) return Parsed::bad;
    if (descriptor == 0 || bytes.size() < 2 + descriptor) return Parsed::cut;
    const auto item = Reader(bytes.substr(1, descriptor)).next();
    const auto section = item ? sectionOf(*item) : Result<Section>(item.error());
    if (!section) return Parsed::bad;
    head.section = *section;
    head.code = static_cast<std::uint8_t>(bytes[1 + descriptor]);
    const std::size_t width = sizeWidth(head.code);
    if (width == bytes.npos) return Parsed::bad;
    head.bytes = 2 + descriptor + width;
    if (bytes.size() < head.bytes) return Parsed::cut;
    head.payload = readBig(bytes.substr(2 + descriptor, width));
    return Parsed::whole;
}

bool isBinary(std::uint8_t code) {
    return code == 0xa0 || code == 0xb0;
}

bool isString(std::uint8_t code) {
    return code == 0xa1 || code == 0xb1;
}

bool isBody(const SectionHead& head) {
    return (head.section == Section::data && isBinary(head.code)) ||
           (head.section == Section::value && (isBinary(head.code) || isString(head.code)));
}

/// Where the body begins in a message that begins with `bytes`.
Parsed skipToBody(std::string_view bytes, std::size_t& at, SectionHead& head) {
    for (at = 0;;) {
        const Parsed parsed = parseHead(bytes.substr(at), head);
        if (parsed != Parsed::whole) return parsed;
        if (isBody(head)) return Parsed::whole;
        if (head.section >= Section::data || isBinary(head.code) || isString(head.code))
            return Parsed::bad;
        if (head.payload > bytes.size() - at - head.bytes) return Parsed::cut;
        at += head.bytes + head.payload;
    }
}

}  // namespace

LargeMessage::Look LargeMessage::look(std::string_view bytes, std::uint64_t over) {
    std::size_t at = 0;
    SectionHead head;
    switch (skipToBody(bytes, at, head)) {
        case Parsed::bad:
            return Look::never;
        case Parsed::cut:
            return Look::unknown;
        case Parsed::whole:
            break;
    }
    if (head.payload > over) return Look::large;
    if (head.section == Section::value) return Look::never;
    for (std::uint64_t body = 0;;) {
        body += std::min<std::uint64_t>(head.payload, bytes.size() - at - head.bytes);
        if (body > over) return Look::large;
        if (head.payload > bytes.size() - at - head.bytes) return Look::unknown;
        at += head.bytes + head.payload;
        const Parsed parsed = parseHead(bytes.substr(at), head);
        if (parsed == Parsed::cut) return Look::unknown;
        if (parsed == Parsed::bad || !isBody(head)) return Look::never;
    }
}

/// `next_` has grown: goes into the section whose head it holds, if it holds all of it.
Result<void> LargeMessage::section() {
    SectionHead head;
    const Parsed parsed = parseHead(next_, head);
    if (parsed == Parsed::cut) return {};
    const Error mixed{ErrorCode::malformed, "a body of sections that do not go together"};
    if (parsed == Parsed::bad) {
        return {ErrorCode::malformed,
                "a message has a section that AMQP 1.0 does not know, or of "
                "another type than it has there"};
    }
    if (isBody(head)) {
        const Kind kind = head.section == Section::data ? Kind::data
                          : isString(head.code)         ? Kind::string
                                                        : Kind::binary;
        if (at_ == At::between && (kind != Kind::data || kind_ != Kind::data)) return mixed;
        if (head.payload > limits_.bodyBytesMax - bodyBytes_) {
            return {ErrorCode::tooLarge, "a body may have at most " +
                                             std::to_string(limits_.bodyBytesMax) + " bytes here"};
        }
        kind_ = kind;
        at_ = At::body;
        left_ = head.payload;
        bodyBytes_ += head.payload;
        next_.clear();
        return {};
    }
    if (at_ == At::between) {
        if (head.section != Section::footer) return mixed;
        at_ = At::tail;
        tail_ = std::exchange(next_, {});
        return {};
    }
    if (head.section >= Section::data) return mixed;
    left_ = head.payload;
    head_ += std::exchange(next_, {});
    return {};
}

Result<std::string_view> LargeMessage::take(std::string_view& bytes) {
    if (at_ == At::tail) {
        if (bytes.size() > limits_.tailBytesMax - std::min(limits_.tailBytesMax, tail_.size())) {
            return {ErrorCode::tooLarge, "what follows a body may have at most " +
                                             std::to_string(limits_.tailBytesMax) + " bytes"};
        }
        tail_ += bytes;
        bytes = {};
        return std::string_view();
    }
    if (left_ == 0) {
        if (at_ == At::body) at_ = At::between;
        // The head of a section has few bytes: one after the other.
        next_ += bytes.front();
        bytes.remove_prefix(1);
        if (auto read = section(); !read) return read.error();
        return std::string_view();
    }
    const std::string_view part =
        bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
    bytes.remove_prefix(part.size());
    left_ -= part.size();
    if (at_ == At::head) {
        head_ += part;
        return std::string_view();
    }
    text_.push(part);
    return part;
}

std::string LargeMessage::standIn(bool good) const {
    std::string out;
    putDescriptor(out,
                  static_cast<std::uint8_t>(kind_ == Kind::data ? Section::data : Section::value));
    if (kind_ == Kind::string)
        putString(out, {});
    else
        putBinary(out, good ? "" : "\xff");
    return out;
}

Buffer LargeMessage::soFar() const {
    return Buffer::of(head_ + standIn(true));
}

Result<Buffer> LargeMessage::withoutBody() const {
    if (at_ == At::head || left_ > 0 || !next_.empty())
        return {ErrorCode::malformed, "a message ends within one of its sections"};
    if (kind_ == Kind::string && !text_.isWhole())
        return {ErrorCode::malformed, "an amqp-value of type string that is not UTF-8"};
    return Buffer::of(head_ + standIn(text_.isWhole()) + tail_);
}

}  // namespace busbar::amqp
