// Structure -> bytes: the visitor over `fields`, loose and tight. Private to the encoder.
#pragma once

#include "adapters/openwire/big_endian.h"
#include "adapters/openwire/cache.h"
#include "adapters/openwire/modified_utf8.h"
#include "adapters/openwire/structure.h"
#include "adapters/openwire/wire_format.h"
#include "bus/base/result.h"

namespace busbar::openwire {

/// Writes one structure. In tight encoding all booleans stand together before the rest of the
/// frame, so they are gathered apart; in loose encoding each takes a byte in its place.
///
/// One large blob a frame may be left out of `data` and given out as it is (`shared`), to go to the
/// socket without being copied.
class Writer {
  public:
    /// `data` and `flags` are empty, and the writer's until it is gone.
    Writer(const WireFormat& format, WriterCache& cache, std::size_t shareFrom, std::string& data,
           std::string& flags)
        : format_(format), cache_(cache), shareFrom_(shareFrom), data_(data), flags_(flags) {}

    void structure(const Structure& structure) { Structure::fields(structure, *this); }

    const Buffer& shared() const { return shared_; }
    std::size_t sharedAt() const { return sharedAt_; }
    const std::optional<Error>& error() const { return error_; }

    // --- the visitor, see fields.h ---
    bool since(std::int32_t version) const { return format_.version >= version; }
    void flag(bool value) {
        if (!format_.tight) {
            data_ += static_cast<char>(value);
            return;
        }
        if (flagCount_ % 8 == 0) flags_ += '\0';
        if (value) flags_.back() = static_cast<char>(flags_.back() | (1 << (flagCount_ % 8)));
        ++flagCount_;
    }
    void octet(std::int8_t value) { data_ += static_cast<char>(value); }
    void number(std::int32_t value) { putBig(data_, value); }
    void large(std::int64_t value);
    void text(const Text& value);
    void blob(const Blob& value);
    void magic(const std::array<char, 8>& value) { data_.append(value.data(), value.size()); }
    void error(const Ref<Throwable>& value);
    void cached(const CachedValue& value);

    template <class T>
    void object(const Ref<T>& value) {
        flag(value != nullptr);
        if (!value) return;
        const std::uint8_t type = typeOf(*value);
        data_ += static_cast<char>(type);
        // "Marshal aware" structures say whether a frame of their own follows; it never does.
        if (format_.tight && (WireMessage::accepts(type) || type == WireFormatInfo::kType))
            flag(false);
        T::fields(*value, *this);
    }

    template <class T>
    void cached(const Ref<T>& value) {
        if (!format_.cache) return object(value);
        cached(value ? CachedValue(value) : CachedValue());
    }

    template <class T>
    void objects(const Array<T>& values) {
        flag(values.has_value());
        if (!values) return;
        if (values->size() > 32'767) return fail("array of more than 32767 structures");
        putBig(data_, static_cast<std::int16_t>(values->size()));
        for (const auto& value : *values) object(value);
    }

  private:
    void plain(const CachedValue& value);
    void fail(const char* what) {
        if (!error_) error_ = Error{ErrorCode::tooLarge, what};
    }

    const WireFormat& format_;
    WriterCache& cache_;
    std::size_t shareFrom_;
    std::string& data_;
    std::string& flags_;
    std::size_t flagCount_ = 0;
    Buffer shared_;
    std::size_t sharedAt_ = 0;
    std::optional<Error> error_;
};

}  // namespace busbar::openwire
