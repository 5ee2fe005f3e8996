// Java's DataOutput and DataInput as far as OpenWire uses them: big-endian numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace busbar::openwire {

template <class T>
void putBig(std::string& out, T value) {
    using U = std::make_unsigned_t<T>;
    const auto bits = static_cast<U>(value);
    char raw[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        raw[i] = static_cast<char>(bits >> (8 * (sizeof(T) - 1 - i)));
    }
    out.append(raw, sizeof(T));
}

/// `bytes` holds at least sizeof(T).
template <class T>
T getBig(std::string_view bytes) {
    std::make_unsigned_t<T> bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        bits = static_cast<decltype(bits)>((bits << 8) | static_cast<unsigned char>(bytes[i]));
    }
    return static_cast<T>(bits);
}

/// Reads from the front of bytes. After the first thing that does not fit, ok() is false and all
/// else reads as zero or empty.
class BigReader {
  public:
    explicit BigReader(std::string_view bytes) : bytes_(bytes) {}

    bool ok() const { return ok_; }
    std::size_t position() const { return position_; }
    std::size_t remaining() const { return bytes_.size() - position_; }

    template <class T>
    T number() {
        const auto raw = take(sizeof(T));
        return raw.size() == sizeof(T) ? getBig<T>(raw) : T{};
    }

    std::string_view take(std::size_t size) {
        if (!ok_ || size > remaining()) {
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

}  // namespace busbar::openwire
