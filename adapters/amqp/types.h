// AMQP's type system (AMQP 1.0, part 1): values as a tree of views, and values as bytes.
//
// Proton has a codec of its own (pn_data_t); it copies every value and is the slow part of it. The
// sections of messages go through this one; Proton's is for what Proton itself keeps (termini,
// properties of links).
#pragma once

#include "bus/base/result.h"
#include "bus/message/value.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::amqp {

/// AMQP 1.0 section 1.6, one name a primitive type (constructors of one type are not told apart).
enum class Type : unsigned char {
    null,
    boolean,
    ubyteType,
    ushortType,
    uintType,
    ulongType,
    byteType,
    shortType,
    intType,
    longType,
    floatType,
    doubleType,
    decimal32,
    decimal64,
    decimal128,
    charType,
    timestamp,
    uuid,
    binary,
    string,
    symbol,
    list,
    map,
    array,
    described,
};

/// "ulong", "timestamp", ...: the standard's names.
std::string_view name(Type type);
/// The type of that name; false where there is none.
bool typeOf(std::string_view name, Type& type);

/// One value. Texts are views of what was read.
struct Item {
    Type type = Type::null;
    std::uint64_t bits = 0;   ///< numbers, sign-extended; floats as their IEEE bits
    std::string_view bytes;   ///< binary, string, symbol, uuid (16), decimals (4, 8, 16)
    std::vector<Item> items;  ///< list, array: elements; map: key, value, key, ...; described:
                              ///< descriptor, value

    bool isNull() const { return type == Type::null; }
    bool isText() const { return type == Type::string || type == Type::symbol; }
    /// True for the eight integer types and timestamps.
    bool isInteger() const;
    std::int64_t number() const { return static_cast<std::int64_t>(bits); }
    bool isTrue() const { return type == Type::boolean && bits != 0; }
    /// Element `index`, or a null where there are fewer.
    const Item& at(std::size_t index) const;
    /// The value of a map's key (string or symbol), or a null.
    const Item& find(std::string_view key) const;
    /// What a described value describes; the value itself where it is not described.
    const Item& plain() const;
};

struct ReadLimits {
    int depthMax = 16;
    std::size_t itemsMax = 100'000;
};

/// Reads values one after the other. Never allocates more than a small multiple of its input.
class Reader {
  public:
    /// `bytes` outlives every Item that is read.
    explicit Reader(std::string_view bytes, ReadLimits limits = {})
        : bytes_(bytes), limits_(limits) {}

    bool atEnd() const { return position_ == bytes_.size(); }
    std::size_t position() const { return position_; }
    /// malformed: says at which byte; tooLarge: nested deeper, or more values, than allowed.
    Result<Item> next();

  private:
    bool value(Item& item, int depth);
    bool valueOf(std::uint8_t code, Item& item, int depth);
    bool compound(Item& item, std::size_t width, int depth);
    bool array(Item& item, std::size_t width, int depth);
    bool constructor(std::uint8_t& code, Item* descriptor, int depth);
    bool number(std::size_t width, std::uint64_t& bits);
    bool signedNumber(std::size_t width, std::uint64_t& bits);
    bool text(std::size_t width, std::string_view& text);
    bool take(std::size_t size, std::string_view& part);
    bool count(std::size_t more);

    std::string_view bytes_;
    ReadLimits limits_;
    std::size_t position_ = 0;
    std::size_t read_ = 0;
    bool tooLarge_ = false;
};

// ---- writing: each appends one value in its shortest form

void putNull(std::string& out);
void putBoolean(std::string& out, bool value);
void putUbyte(std::string& out, std::uint8_t value);
void putUshort(std::string& out, std::uint16_t value);
void putUint(std::string& out, std::uint32_t value);
void putUlong(std::string& out, std::uint64_t value);
void putByte(std::string& out, std::int8_t value);
void putShort(std::string& out, std::int16_t value);
void putInt(std::string& out, std::int32_t value);
void putLong(std::string& out, std::int64_t value);
void putFloat(std::string& out, float value);
void putDouble(std::string& out, double value);
void putChar(std::string& out, std::uint32_t value);
void putTimestamp(std::string& out, std::int64_t milliseconds);
void putUuid(std::string& out, std::string_view sixteenBytes);
void putBinary(std::string& out, std::string_view bytes);
void putString(std::string& out, std::string_view text);
void putSymbol(std::string& out, std::string_view text);
/// A value of the bus's, in the type of the same name.
void putValue(std::string& out, const Value& value);
/// What comes before the value that it describes.
void putDescriptor(std::string& out, std::uint8_t code);
void putDescriptor(std::string& out, std::string_view symbol);
/// A binary's head, its `size` bytes to follow.
void putBinaryHead(std::string& out, std::size_t size);
void putStringHead(std::string& out, std::size_t size);
/// An array of symbols, as capabilities are.
void putSymbols(std::string& out, const std::vector<std::string_view>& symbols);

/// A list or map that is being appended to `out`: add elements by the functions above, count them,
/// then end().
class Compound {
  public:
    enum class Kind : unsigned char { list, map };

    Compound(std::string& out, Kind kind);
    void end(std::size_t elements);

  private:
    std::string& out_;
    Kind kind_;
    std::size_t start_;
};

}  // namespace busbar::amqp
