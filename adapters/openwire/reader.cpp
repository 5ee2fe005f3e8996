#include "adapters/openwire/reader.h"

#include "adapters/openwire/modified_utf8.h"

namespace busbar::openwire {
namespace {

/// From this size on it is worth keeping a whole frame in memory for its content.
constexpr std::size_t kShareFrom = 4096;

/// Bytes of which each is a character: what a string that is marked as ASCII may hold.
std::string fromLatin1(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80) out += static_cast<char>(0xc0 | (byte >> 6));
        out += static_cast<char>(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
    }
    return out;
}

}  // namespace

bool Reader::frame(Structure& structure) {
    type_ = take<std::uint8_t>();
    if (error_) return false;
    if (type_ == 0) {
        structure = {};
    } else if (!Structure::accepts(type_)) {
        fail(ErrorCode::unsupported, "unknown command");
    } else if (!format_.tight || readFlags()) {
        structure = Structure::make(type_);
        Structure::fields(structure, *this);
    }
    if (!error_ && in_.remaining() > 0) {
        malformed(std::to_string(in_.remaining()) + " bytes after the last field");
    }
    if (!error_ && (flagAt_ + 7) / 8 != flags_.size()) malformed("more booleans than fields");
    return !error_;
}

bool Reader::readFlags() {
    std::size_t size = take<std::uint8_t>();
    if (size == 0xc0)
        size = take<std::uint8_t>();
    else if (size == 0x80)
        size = take<std::uint16_t>();
    flags_ = in_.take(size);
    if (!in_.ok()) malformed("booleans do not fit into the frame");
    return !error_;
}

bool Reader::takeFlag() {
    if (!format_.tight) return take<std::uint8_t>() != 0;
    if (flagAt_ / 8 >= flags_.size()) {
        malformed("fewer booleans than fields");
        return false;
    }
    const auto byte = static_cast<unsigned char>(flags_[flagAt_ / 8]);
    const bool value = ((byte >> (flagAt_ % 8)) & 1) != 0;
    ++flagAt_;
    return value;
}

void Reader::large(std::int64_t& value) {
    if (!format_.tight) {
        value = take<std::int64_t>();
        return;
    }
    const bool wide = takeFlag();
    const bool more = takeFlag();
    if (wide)
        value = more ? take<std::int64_t>() : std::int64_t{take<std::uint32_t>()};
    else
        value = more ? take<std::uint16_t>() : 0;
}

void Reader::text(Text& value) {
    if (!takeFlag()) return;
    const bool ascii = format_.tight && takeFlag();
    const std::size_t size = take<std::uint16_t>();
    if (size > limits_.stringBytesMax) return fail(ErrorCode::tooLarge, "string over the limit");
    const auto raw = in_.take(size);
    if (!in_.ok()) return malformed("string does not fit into the frame");
    if (ascii && !isJavaAscii(raw)) {
        value = fromLatin1(raw);
        return;
    }
    value = fromModifiedUtf8(raw);
    if (!value) malformed("string is not modified UTF-8");
}

void Reader::blob(Blob& value) {
    if (!takeFlag()) return;
    const auto size = take<std::int32_t>();
    if (error_) return;
    if (size < 0) return malformed("negative length");
    const std::size_t at = in_.position();
    const auto raw = in_.take(static_cast<std::size_t>(size));
    if (!in_.ok()) return malformed("length over what is there");
    const bool share = owner_ && raw.size() >= kShareFrom;
    value = share ? owner_->slice(at, raw.size()) : Buffer::copyOf(raw);
}

void Reader::magic(std::array<char, 8>& value) {
    const auto raw = in_.take(value.size());
    if (!in_.ok()) return malformed("frame ends within the magic");
    std::copy(raw.begin(), raw.end(), value.begin());
}

void Reader::error(Ref<Throwable>& value) {
    if (!takeFlag()) return;
    if (++depth_ > limits_.depthMax) return fail(ErrorCode::tooLarge, "causes nested too deeply");
    auto made = std::make_shared<Throwable>();
    text(made->className);
    text(made->message);
    if (format_.stackTraces && !error_) {
        const std::size_t count = takeCount();
        for (std::size_t i = 0; i < count && !error_; ++i) {
            StackTraceElement element;
            text(element.className);
            text(element.methodName);
            text(element.fileName);
            number(element.line);
            made->stackTrace.push_back(std::move(element));
        }
        if (!error_) error(made->cause);
    }
    --depth_;
    value = std::move(made);
}

void Reader::cached(CachedValue& value) {
    if (!format_.cache) return plain(value);
    const bool isNew = takeFlag();
    const auto slot = take<std::int16_t>();
    if (error_) return;
    if (!isNew) {
        const CachedValue* found = cache_.find(slot);
        if (!found)
            return malformed("names slot " + std::to_string(slot) +
                             " of the cache, which is empty");
        value = *found;
        return;
    }
    const std::size_t begin = in_.position();
    plain(value);
    keep(slot, value, in_.position() - begin);
}

void Reader::plain(CachedValue& value) {
    if (!takeFlag()) return;
    const auto type = take<std::uint8_t>();
    if (error_) return;
    const auto read = [&]<class T>(Ref<T>) { value = nested<T>(type); };
    switch (type) {
        case BrokerId::kType:
            return read(Ref<BrokerId>());
        case ConnectionId::kType:
            return read(Ref<ConnectionId>());
        case SessionId::kType:
            return read(Ref<SessionId>());
        case ConsumerId::kType:
            return read(Ref<ConsumerId>());
        case ProducerId::kType:
            return read(Ref<ProducerId>());
        default:
            break;
    }
    if (WireDestination::accepts(type)) return read(Ref<WireDestination>());
    if (TransactionId::accepts(type)) return read(Ref<TransactionId>());
    wrongType(type);
}

std::size_t Reader::takeCount() {
    const auto count = take<std::int16_t>();
    if (error_) return 0;
    if (count < 0) {
        malformed("negative count");
        return 0;
    }
    // Each element takes at least one boolean.
    const std::size_t room = format_.tight ? flags_.size() * 8 - flagAt_ : in_.remaining();
    if (static_cast<std::size_t>(count) > room) {
        malformed("count over what is there");
        return 0;
    }
    if (static_cast<std::size_t>(count) > limits_.elementsMax) {
        fail(ErrorCode::tooLarge, "more elements than allowed");
        return 0;
    }
    return static_cast<std::size_t>(count);
}

void Reader::keep(std::int16_t slot, CachedValue value, std::size_t bytes) {
    if (error_) return;
    if (!cache_.put(slot, std::move(value), bytes)) {
        return malformed("the cache has no slot " + std::to_string(slot));
    }
    if (cache_.bytes() > limits_.cacheBytesMax)
        fail(ErrorCode::tooLarge, "cached values over the limit");
}

void Reader::fail(ErrorCode code, std::string_view what) {
    if (error_) return;
    error_ = Error{code, typeName(type_) + ": " + std::string(what) + ", at byte " +
                             std::to_string(in_.position())};
}

}  // namespace busbar::openwire
