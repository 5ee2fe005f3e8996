// Bytes -> structure: the visitor over `fields`, loose and tight. Private to the decoder.
#pragma once

#include "adapters/openwire/big_endian.h"
#include "adapters/openwire/cache.h"
#include "adapters/openwire/codec.h"
#include "adapters/openwire/structure.h"

namespace busbar::openwire {

/// Reads one frame's body. Trusts nothing: lengths and counts are checked against what remains
/// before memory is taken, nesting is bounded, and a type that does not fit its field is refused.
/// After the first failure all else reads as empty; error() says what it was.
class Reader {
  public:
    /// `frame` is what follows the size prefix. Where `owner` is not null it holds the same bytes,
    /// and large blobs share its memory instead of being copied.
    Reader(std::string_view frame, const Buffer* owner, const WireFormat& format,
           ReaderCache& cache, const DecoderLimits& limits)
        : in_(frame), owner_(owner), format_(format), cache_(cache), limits_(limits) {}

    /// The whole frame: type, booleans, fields, and nothing after them.
    bool frame(Structure& structure);
    Error error() const { return *error_; }

    // --- the visitor, see fields.h ---
    bool since(std::int32_t version) const { return format_.version >= version; }
    void flag(bool& value) { value = takeFlag(); }
    void octet(std::int8_t& value) { value = take<std::int8_t>(); }
    void number(std::int32_t& value) { value = take<std::int32_t>(); }
    void large(std::int64_t& value);
    void text(Text& value);
    void blob(Blob& value);
    void magic(std::array<char, 8>& value);
    void error(Ref<Throwable>& value);
    void cached(CachedValue& value);

    template <class T>
    void object(Ref<T>& value) {
        if (!takeFlag()) return;
        const auto type = take<std::uint8_t>();
        if (error_) return;
        if (!acceptsType<T>(type)) return wrongType(type);
        value = nested<T>(type);
    }

    template <class T>
    void cached(Ref<T>& value) {
        if (!format_.cache) return object(value);
        const bool isNew = takeFlag();
        const auto slot = take<std::int16_t>();
        if (error_) return;
        if (!isNew) return fromCache(slot, value);
        const std::size_t begin = in_.position();
        object(value);
        keep(slot, value ? CachedValue(value) : CachedValue(), in_.position() - begin);
    }

    template <class T>
    void objects(Array<T>& values) {
        if (!takeFlag()) return;
        const std::size_t count = takeCount();
        values.emplace(count);
        for (auto& value : *values) {
            if (error_) return;
            object(value);
        }
    }

  private:
    bool readFlags();
    bool takeFlag();
    std::size_t takeCount();
    void keep(std::int16_t slot, CachedValue value, std::size_t bytes);
    void plain(CachedValue& value);
    void malformed(std::string_view what) { fail(ErrorCode::malformed, what); }
    void wrongType(std::uint8_t type) { malformed(typeName(type) + " where another type belongs"); }
    void fail(ErrorCode code, std::string_view what);

    template <class T>
    T take() {
        const T value = in_.number<T>();
        if (!in_.ok()) malformed("frame ends within a field");
        return value;
    }

    template <class T>
    Ref<T> nested(std::uint8_t type) {
        if (++depth_ > limits_.depthMax) {
            fail(ErrorCode::tooLarge, "structures nested too deeply");
            return {};
        }
        // A "marshal aware" structure could bring a frame of its own; no implementation writes one.
        const bool aware = WireMessage::accepts(type) || type == WireFormatInfo::kType;
        if (format_.tight && aware && takeFlag()) {
            malformed("frame within a frame");
            return {};
        }
        auto made = std::make_shared<T>(makeOfType<T>(type));
        T::fields(*made, *this);
        --depth_;
        return made;
    }

    template <class T>
    void fromCache(std::int16_t slot, Ref<T>& value) {
        const CachedValue* found = cache_.find(slot);
        if (!found)
            return malformed("names slot " + std::to_string(slot) +
                             " of the cache, which is empty");
        if (std::holds_alternative<std::monostate>(*found)) return;
        const auto* typed = std::get_if<Ref<T>>(found);
        if (!typed)
            return malformed("slot " + std::to_string(slot) + " of the cache holds another type");
        value = *typed;
    }

    BigReader in_;
    const Buffer* owner_;
    const WireFormat& format_;
    ReaderCache& cache_;
    const DecoderLimits& limits_;
    std::string_view flags_;
    std::size_t flagAt_ = 0;
    int depth_ = 0;
    std::uint8_t type_ = 0;
    std::optional<Error> error_;
};

}  // namespace busbar::openwire
