#include "adapters/amqp/types.h"

#include "adapters/amqp/big_endian.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace busbar::amqp {
namespace {

const Item kNull;

constexpr std::string_view kNames[] = {
    "null",       "boolean", "ubyte",     "ushort",   "uint",   "ulong",     "byte",
    "short",      "int",     "long",      "float",    "double", "decimal32", "decimal64",
    "decimal128", "char",    "timestamp", "uuid",     "binary", "string",    "symbol",
    "list",       "map",     "array",     "described"};

void putCode(std::string& out, unsigned code) {
    out += static_cast<char>(code);
}

/// Small or large head of what has a length.
void putHead(std::string& out, unsigned small, unsigned large, std::size_t size) {
    putCode(out, size < 256 ? small : large);
    putBig(out, size, size < 256 ? 1 : 4);
}

}  // namespace

std::string_view name(Type type) {
    return kNames[static_cast<std::size_t>(type)];
}

bool typeOf(std::string_view name, Type& type) {
    const auto at = std::find(std::begin(kNames), std::end(kNames), name);
    if (at == std::end(kNames)) return false;
    type = static_cast<Type>(at - std::begin(kNames));
    return true;
}

bool Item::isInteger() const {
    return (type >= Type::ubyteType && type <= Type::longType) || type == Type::timestamp;
}

const Item& Item::at(std::size_t index) const {
    return index < items.size() ? items[index] : kNull;
}

const Item& Item::find(std::string_view key) const {
    if (type != Type::map) return kNull;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
        if (items[i].isText() && items[i].bytes == key) return items[i + 1];
    }
    return kNull;
}

const Item& Item::plain() const {
    return type == Type::described ? at(1) : *this;
}

// ---- reading

Result<Item> Reader::next() {
    Item item;
    if (value(item, 1)) return item;
    const std::string where = " at byte " + std::to_string(position_);
    if (tooLarge_) {
        return {ErrorCode::tooLarge, "values are nested too deep, or there are too many," + where};
    }
    return {ErrorCode::malformed, "bytes that are no AMQP value" + where};
}

bool Reader::count(std::size_t more) {
    if (more > limits_.itemsMax - read_) {
        tooLarge_ = true;
        return false;
    }
    read_ += more;
    return true;
}

bool Reader::take(std::size_t size, std::string_view& part) {
    if (size > bytes_.size() - position_) return false;
    part = bytes_.substr(position_, size);
    position_ += size;
    return true;
}

bool Reader::number(std::size_t width, std::uint64_t& bits) {
    std::string_view raw;
    if (!take(width, raw)) return false;
    bits = 0;
    for (const char c : raw) bits = bits << 8 | static_cast<unsigned char>(c);
    return true;
}

bool Reader::signedNumber(std::size_t width, std::uint64_t& bits) {
    if (!number(width, bits)) return false;
    const std::size_t shift = 64 - 8 * width;
    bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(bits << shift) >> shift);
    return true;
}

bool Reader::text(std::size_t width, std::string_view& text) {
    std::uint64_t size = 0;
    return number(width, size) && take(size, text);
}

bool Reader::value(Item& item, int depth) {
    if (depth > limits_.depthMax) {
        tooLarge_ = true;
        return false;
    }
    std::uint64_t code = 0;
    if (!number(1, code)) return false;
    if (code != 0) return valueOf(static_cast<std::uint8_t>(code), item, depth);
    item.type = Type::described;
    if (!count(1)) return false;
    item.items.resize(2);
    return value(item.items[0], depth + 1) && value(item.items[1], depth + 1);
}

bool Reader::valueOf(std::uint8_t code, Item& item, int depth) {
    if (!count(1)) return false;
    const auto is = [&](Type type) {
        item.type = type;
        return true;
    };
    switch (code) {
        case 0x40:
            return is(Type::null);
        case 0x41:
        case 0x42:
            item.bits = code == 0x41;
            return is(Type::boolean);
        case 0x56:
            return is(Type::boolean) && number(1, item.bits) && item.bits <= 1;
        case 0x50:
            return is(Type::ubyteType) && number(1, item.bits);
        case 0x60:
            return is(Type::ushortType) && number(2, item.bits);
        case 0x43:
            return is(Type::uintType);
        case 0x52:
            return is(Type::uintType) && number(1, item.bits);
        case 0x70:
            return is(Type::uintType) && number(4, item.bits);
        case 0x44:
            return is(Type::ulongType);
        case 0x53:
            return is(Type::ulongType) && number(1, item.bits);
        case 0x80:
            return is(Type::ulongType) && number(8, item.bits);
        case 0x51:
            return is(Type::byteType) && signedNumber(1, item.bits);
        case 0x61:
            return is(Type::shortType) && signedNumber(2, item.bits);
        case 0x54:
            return is(Type::intType) && signedNumber(1, item.bits);
        case 0x71:
            return is(Type::intType) && signedNumber(4, item.bits);
        case 0x55:
            return is(Type::longType) && signedNumber(1, item.bits);
        case 0x81:
            return is(Type::longType) && signedNumber(8, item.bits);
        case 0x72:
            return is(Type::floatType) && number(4, item.bits);
        case 0x82:
            return is(Type::doubleType) && number(8, item.bits);
        case 0x73:
            return is(Type::charType) && number(4, item.bits);
        case 0x83:
            return is(Type::timestamp) && signedNumber(8, item.bits);
        case 0x74:
            return is(Type::decimal32) && take(4, item.bytes);
        case 0x84:
            return is(Type::decimal64) && take(8, item.bytes);
        case 0x94:
            return is(Type::decimal128) && take(16, item.bytes);
        case 0x98:
            return is(Type::uuid) && take(16, item.bytes);
        case 0xa0:
        case 0xb0:
            return is(Type::binary) && text(code == 0xa0 ? 1 : 4, item.bytes);
        case 0xa1:
        case 0xb1:
            return is(Type::string) && text(code == 0xa1 ? 1 : 4, item.bytes);
        case 0xa3:
        case 0xb3:
            return is(Type::symbol) && text(code == 0xa3 ? 1 : 4, item.bytes);
        case 0x45:
            return is(Type::list);
        case 0xc0:
        case 0xd0:
            return is(Type::list) && compound(item, code == 0xc0 ? 1 : 4, depth);
        case 0xc1:
        case 0xd1:
            return is(Type::map) && compound(item, code == 0xc1 ? 1 : 4, depth) &&
                   item.items.size() % 2 == 0;
        case 0xe0:
        case 0xf0:
            return is(Type::array) && array(item, code == 0xe0 ? 1 : 4, depth);
        default:
            return false;
    }
}

/// Size and count, then the elements, which fill the size exactly.
bool Reader::compound(Item& item, std::size_t width, int depth) {
    std::uint64_t size = 0;
    std::uint64_t elements = 0;
    if (!number(width, size) || size > bytes_.size() - position_) return false;
    const std::size_t end = position_ + size;
    if (!number(width, elements) || position_ > end || elements > end - position_) return false;
    if (elements > limits_.itemsMax - read_) return count(elements);
    item.items.resize(elements);
    for (Item& element : item.items) {
        if (!value(element, depth + 1)) return false;
    }
    return position_ == end;
}

bool Reader::constructor(std::uint8_t& code, Item* descriptor, int depth) {
    std::uint64_t byte = 0;
    if (!number(1, byte)) return false;
    if (byte == 0) {
        if (!descriptor || !value(*descriptor, depth + 1) || !number(1, byte) || byte == 0)
            return false;
    }
    code = static_cast<std::uint8_t>(byte);
    return true;
}

/// One constructor for all elements, which may take no bytes at all: the count is what is bounded.
bool Reader::array(Item& item, std::size_t width, int depth) {
    std::uint64_t size = 0;
    std::uint64_t elements = 0;
    if (!number(width, size) || size > bytes_.size() - position_) return false;
    const std::size_t end = position_ + size;
    if (!number(width, elements) || position_ > end) return false;
    std::uint8_t code = 0;
    Item descriptor;
    if (depth + 1 > limits_.depthMax || !constructor(code, &descriptor, depth)) return false;
    if (elements > limits_.itemsMax - read_) return count(elements);
    item.items.resize(elements);
    for (Item& element : item.items) {
        if (!valueOf(code, element, depth + 1)) return false;
        if (descriptor.isNull()) continue;
        Item described;
        described.type = Type::described;
        described.items = {descriptor, std::move(element)};
        element = std::move(described);
    }
    return position_ == end;
}

// ---- writing

void putNull(std::string& out) {
    putCode(out, 0x40);
}

void putBoolean(std::string& out, bool value) {
    putCode(out, value ? 0x41 : 0x42);
}

void putUbyte(std::string& out, std::uint8_t value) {
    putCode(out, 0x50);
    putBig(out, value, 1);
}

void putUshort(std::string& out, std::uint16_t value) {
    putCode(out, 0x60);
    putBig(out, value, 2);
}

void putUint(std::string& out, std::uint32_t value) {
    if (value == 0) return putCode(out, 0x43);
    putCode(out, value < 256 ? 0x52 : 0x70);
    putBig(out, value, value < 256 ? 1 : 4);
}

void putUlong(std::string& out, std::uint64_t value) {
    if (value == 0) return putCode(out, 0x44);
    putCode(out, value < 256 ? 0x53 : 0x80);
    putBig(out, value, value < 256 ? 1 : 8);
}

void putByte(std::string& out, std::int8_t value) {
    putCode(out, 0x51);
    putBig(out, static_cast<std::uint8_t>(value), 1);
}

void putShort(std::string& out, std::int16_t value) {
    putCode(out, 0x61);
    putBig(out, static_cast<std::uint16_t>(value), 2);
}

void putInt(std::string& out, std::int32_t value) {
    const bool small = value >= -128 && value < 128;
    putCode(out, small ? 0x54 : 0x71);
    putBig(out, static_cast<std::uint32_t>(value), small ? 1 : 4);
}

void putLong(std::string& out, std::int64_t value) {
    const bool small = value >= -128 && value < 128;
    putCode(out, small ? 0x55 : 0x81);
    putBig(out, static_cast<std::uint64_t>(value), small ? 1 : 8);
}

void putFloat(std::string& out, float value) {
    putCode(out, 0x72);
    putBig(out, std::bit_cast<std::uint32_t>(value), 4);
}

void putDouble(std::string& out, double value) {
    putCode(out, 0x82);
    putBig(out, std::bit_cast<std::uint64_t>(value), 8);
}

void putChar(std::string& out, std::uint32_t value) {
    putCode(out, 0x73);
    putBig(out, value, 4);
}

void putTimestamp(std::string& out, std::int64_t milliseconds) {
    putCode(out, 0x83);
    putBig(out, static_cast<std::uint64_t>(milliseconds), 8);
}

void putUuid(std::string& out, std::string_view sixteenBytes) {
    putCode(out, 0x98);
    out += sixteenBytes;
}

void putBinaryHead(std::string& out, std::size_t size) {
    putHead(out, 0xa0, 0xb0, size);
}

void putStringHead(std::string& out, std::size_t size) {
    putHead(out, 0xa1, 0xb1, size);
}

void putBinary(std::string& out, std::string_view bytes) {
    putBinaryHead(out, bytes.size());
    out += bytes;
}

void putString(std::string& out, std::string_view text) {
    putStringHead(out, text.size());
    out += text;
}

void putSymbol(std::string& out, std::string_view text) {
    putHead(out, 0xa3, 0xb3, text.size());
    out += text;
}

void putDescriptor(std::string& out, std::uint8_t code) {
    putCode(out, 0);
    putCode(out, 0x53);
    putBig(out, code, 1);
}

void putDescriptor(std::string& out, std::string_view symbol) {
    putCode(out, 0);
    putSymbol(out, symbol);
}

void putSymbols(std::string& out, const std::vector<std::string_view>& symbols) {
    std::size_t size = 5;
    for (const auto symbol : symbols) size += 4 + symbol.size();
    putCode(out, 0xf0);
    putBig(out, size, 4);
    putBig(out, symbols.size(), 4);
    putCode(out, 0xb3);
    for (const auto symbol : symbols) {
        putBig(out, symbol.size(), 4);
        out += symbol;
    }
}

Compound::Compound(std::string& out, Kind kind) : out_(out), kind_(kind), start_(out.size()) {
    out_.append(9, '\0');
}

/// The long head was kept free; small ones move down over it.
void Compound::end(std::size_t elements) {
    const std::size_t content = out_.size() - start_ - 9;
    std::string head;
    if (content + 1 < 256 && elements < 256) {
        putCode(head, kind_ == Kind::list ? 0xc0 : 0xc1);
        putBig(head, content + 1, 1);
        putBig(head, elements, 1);
    } else {
        putCode(head, kind_ == Kind::list ? 0xd0 : 0xd1);
        putBig(head, content + 4, 4);
        putBig(head, elements, 4);
    }
    out_.replace(start_, 9, head);
}

}  // namespace busbar::amqp
