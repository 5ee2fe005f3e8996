#include "adapters/openwire/primitive.h"

#include "adapters/openwire/big_endian.h"
#include "adapters/openwire/modified_utf8.h"

namespace busbar::openwire {
namespace {

enum Tag : std::uint8_t {
    kNull,
    kBoolean,
    kByte,
    kChar,
    kShort,
    kInteger,
    kLong,
    kDouble,
    kFloat,
    kString,
    kByteArray,
    kMapTag,
    kListTag,
    kBigString
};

constexpr std::size_t kShortStringMax = 32767 / 4;  ///< characters; ActiveMQ's border to kBigString
constexpr std::size_t kStringBytesMax = 65'535;

class PrimitiveReader {
  public:
    PrimitiveReader(std::string_view bytes, PrimitiveLimits limits) : in_(bytes), limits_(limits) {}

    /// A count of -1 is Java's null; as a map it is empty.
    bool map(BodyMap& map, int depth) {
        std::size_t count = 0;
        if (!readCount(count, 3, depth)) return false;
        for (std::size_t i = 0; i < count; ++i) {
            auto& [key, element] = map.emplace_back();
            if (!string(key, in_.number<std::uint16_t>()) || !value(element, depth)) return false;
        }
        return true;
    }

    bool stream(BodyList& list) {
        while (in_.remaining() > 0) {
            if (list.size() == limits_.entriesMax) return tooLarge("more values than allowed");
            if (!value(list.emplace_back(), 1)) return false;
        }
        return true;
    }

    bool atEnd() { return in_.remaining() == 0 || malformed("bytes after the end"); }
    Error error() const { return *error_; }

  private:
    bool value(BodyValue& value, int depth) {
        const auto tag = in_.number<std::uint8_t>();
        if (!in_.ok()) return malformed("ends before a type");
        if (tag == kMapTag) return map(value.data.emplace<BodyMap>(), depth + 1);
        if (tag == kListTag) return list(value.data.emplace<BodyList>(), depth + 1);
        return scalar(std::get<Value>(value.data), tag) &&
               (in_.ok() || malformed("ends within a value"));
    }

    bool list(BodyList& list, int depth) {
        std::size_t count = 0;
        if (!readCount(count, 1, depth)) return false;
        for (std::size_t i = 0; i < count; ++i) {
            if (!value(list.emplace_back(), depth)) return false;
        }
        return true;
    }

    bool scalar(Value& value, std::uint8_t tag) {
        switch (tag) {
            case kNull:
                value = std::monostate{};
                return true;
            case kBoolean:
                value = in_.number<std::uint8_t>() != 0;
                return true;
            case kByte:
                value = in_.number<std::int8_t>();
                return true;
            case kChar:
                value = static_cast<char16_t>(in_.number<std::uint16_t>());
                return true;
            case kShort:
                value = in_.number<std::int16_t>();
                return true;
            case kInteger:
                value = in_.number<std::int32_t>();
                return true;
            case kLong:
                value = in_.number<std::int64_t>();
                return true;
            case kDouble:
                value = std::bit_cast<double>(in_.number<std::uint64_t>());
                return true;
            case kFloat:
                value = std::bit_cast<float>(in_.number<std::uint32_t>());
                return true;
            case kString:
                return string(value.emplace<std::string>(), in_.number<std::uint16_t>());
            case kBigString: {
                const auto size = in_.number<std::int32_t>();
                if (size < 0) return malformed("negative length");
                return string(value.emplace<std::string>(), static_cast<std::size_t>(size));
            }
            case kByteArray: {
                const auto size = in_.number<std::int32_t>();
                if (size < 0) return malformed("negative length");
                const auto raw = in_.take(static_cast<std::size_t>(size));
                if (!in_.ok()) return malformed("length over what is there");
                value = Bytes{std::string(raw)};
                return true;
            }
            default:
                return malformed("unknown type " + std::to_string(tag));
        }
    }

    bool string(std::string& out, std::size_t size) {
        const auto raw = in_.take(size);
        if (!in_.ok()) return malformed("length over what is there");
        auto text = fromModifiedUtf8(raw);
        if (!text) return malformed("string is not modified UTF-8");
        out = std::move(*text);
        return true;
    }

    bool readCount(std::size_t& count, std::size_t bytesEach, int depth) {
        if (depth > limits_.depthMax) return tooLarge("nested too deeply");
        const auto read = in_.number<std::int32_t>();
        if (!in_.ok()) return malformed("ends before a count");
        count = read < 0 ? 0 : static_cast<std::size_t>(read);
        if (count > in_.remaining() / bytesEach) return malformed("count over what is there");
        if (count > limits_.entriesMax) return tooLarge("more entries than allowed");
        return true;
    }

    bool fail(ErrorCode code, std::string_view what) {
        if (!error_) {
            error_ = Error{code, "primitive map or stream: " + std::string(what) + ", at byte " +
                                     std::to_string(in_.position())};
        }
        return false;
    }
    bool malformed(std::string_view what) { return fail(ErrorCode::malformed, what); }
    bool tooLarge(std::string_view what) { return fail(ErrorCode::tooLarge, what); }

    BigReader in_;
    PrimitiveLimits limits_;
    std::optional<Error> error_;
};

class PrimitiveWriter {
  public:
    explicit PrimitiveWriter(std::string& out) : out_(out) {}

    bool map(const BodyMap& map) {
        putBig(out_, static_cast<std::int32_t>(map.size()));
        for (const auto& [key, element] : map) {
            if (!shortString(key)) return false;
            if (!value(element)) return false;
        }
        return true;
    }

    bool value(const BodyValue& value) {
        if (const auto* scalar = std::get_if<Value>(&value.data)) {
            std::visit([this](const auto& v) { put(v); }, *scalar);
            return true;
        }
        if (const auto* nested = std::get_if<BodyMap>(&value.data)) {
            tag(kMapTag);
            return map(*nested);
        }
        const auto& list = std::get<BodyList>(value.data);
        tag(kListTag);
        putBig(out_, static_cast<std::int32_t>(list.size()));
        for (const auto& element : list) {
            if (!this->value(element)) return false;
        }
        return true;
    }

  private:
    void tag(Tag t) { out_ += static_cast<char>(t); }

    bool shortString(std::string_view text) {
        const std::size_t at = out_.size();
        putBig(out_, std::uint16_t{0});
        appendModifiedUtf8(out_, text);
        const std::size_t size = out_.size() - at - 2;
        if (size > kStringBytesMax) return false;
        out_[at] = static_cast<char>(size >> 8);
        out_[at + 1] = static_cast<char>(size);
        return true;
    }

    /// Characters as Java counts them: UTF-16 code units.
    static std::size_t javaLength(std::string_view utf8) {
        std::size_t units = 0;
        for (const char c : utf8) {
            const auto byte = static_cast<unsigned char>(c);
            if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
        }
        return units;
    }

    void put(std::monostate) { tag(kNull); }
    void put(bool v) {
        tag(kBoolean);
        out_ += static_cast<char>(v);
    }
    void put(std::int8_t v) {
        tag(kByte);
        out_ += static_cast<char>(v);
    }
    void put(std::int16_t v) { number(kShort, v); }
    void put(std::int32_t v) { number(kInteger, v); }
    void put(std::int64_t v) { number(kLong, v); }
    void put(float v) { number(kFloat, std::bit_cast<std::uint32_t>(v)); }
    void put(double v) { number(kDouble, std::bit_cast<std::uint64_t>(v)); }
    void put(char16_t v) { number(kChar, static_cast<std::uint16_t>(v)); }
    void put(const Bytes& v) {
        number(kByteArray, static_cast<std::int32_t>(v.data.size()));
        out_.append(v.data);
    }
    void put(const std::string& v) {
        if (javaLength(v) < kShortStringMax) {
            tag(kString);
            shortString(v);
            return;
        }
        const std::size_t at = out_.size() + 1;
        number(kBigString, std::int32_t{0});
        appendModifiedUtf8(out_, v);
        std::string size;
        putBig(size, static_cast<std::int32_t>(out_.size() - at - 4));
        out_.replace(at, 4, size);
    }
    template <class T>
    void number(Tag t, T v) {
        tag(t);
        putBig(out_, v);
    }

    std::string& out_;
};

Error keyTooLong() {
    return {ErrorCode::tooLarge, "the name of a map entry has more than 65535 bytes"};
}

}  // namespace

Result<BodyMap> readPrimitiveMap(std::string_view bytes, PrimitiveLimits limits) {
    PrimitiveReader reader(bytes, limits);
    BodyMap map;
    if (!reader.map(map, 1) || !reader.atEnd()) return reader.error();
    return map;
}

Result<BodyList> readPrimitiveStream(std::string_view bytes, PrimitiveLimits limits) {
    PrimitiveReader reader(bytes, limits);
    BodyList list;
    if (!reader.stream(list)) return reader.error();
    return list;
}

Result<void> appendPrimitiveMap(std::string& out, const BodyMap& map) {
    const std::size_t before = out.size();
    if (PrimitiveWriter(out).map(map)) return {};
    out.resize(before);
    return keyTooLong();
}

Result<void> appendPrimitiveStream(std::string& out, const BodyList& values) {
    const std::size_t before = out.size();
    PrimitiveWriter writer(out);
    for (const auto& value : values) {
        if (writer.value(value)) continue;
        out.resize(before);
        return keyTooLong();
    }
    return {};
}

}  // namespace busbar::openwire
