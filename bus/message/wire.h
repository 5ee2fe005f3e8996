// Little-endian fields and length-prefixed strings: the alphabet of everything that the bus
// persists.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace busbar {

static_assert(std::endian::native == std::endian::little,
              "the persisted formats are written natively");

template <class T>
void putFixed(std::string& out, T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    out.append(raw, sizeof(T));
}

/// LEB128, at most 10 bytes.
inline void putVarint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    out += static_cast<char>(value);
}

inline void putString(std::string& out, std::string_view text) {
    putVarint(out, text.size());
    out.append(text);
}

/// Reads those fields back. After the first field that does not fit, ok() is false and all else
/// reads as zero or empty: check once at the end.
class WireReader {
  public:
    explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

    bool ok() const { return ok_; }
    std::size_t position() const { return position_; }
    std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }

    template <class T>
    T fixed() {
        static_assert(std::is_trivially_copyable_v<T>);
        T value{};
        if (const auto raw = take(sizeof(T)); raw.size() == sizeof(T)) {
            std::memcpy(&value, raw.data(), sizeof(T));
        }
        return value;
    }

    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const auto raw = take(1);
            if (raw.empty()) return 0;
            const auto byte = static_cast<unsigned char>(raw[0]);
            if (shift == 63 && byte > 1) break;
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        ok_ = false;
        return 0;
    }

    std::string_view string() {
        const std::uint64_t size = varint();
        return take(size);
    }

    /// The next `size` bytes, or nothing and ok() false.
    std::string_view take(std::uint64_t size) {
        if (!ok_ || size > bytes_.size() - position_) {
            ok_ = false;
            return {};
        }
        const auto part = bytes_.substr(position_, size);
        position_ += size;
        return part;
    }

  private:
    std::string_view bytes_;
    std::size_t position_ = 0;
    bool ok_ = true;
};

}  // namespace busbar
