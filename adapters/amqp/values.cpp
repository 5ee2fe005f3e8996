#include "adapters/amqp/values.h"

#include <bit>
#include <limits>
#include <optional>

namespace busbar::amqp {
namespace {

std::optional<std::int64_t> integer(const Value& value) {
    if (const auto* v = std::get_if<std::int8_t>(&value)) return *v;
    if (const auto* v = std::get_if<std::int16_t>(&value)) return *v;
    if (const auto* v = std::get_if<std::int32_t>(&value)) return *v;
    if (const auto* v = std::get_if<std::int64_t>(&value)) return *v;
    return std::nullopt;
}

bool putNumber(std::string& out, Type type, std::int64_t number) {
    switch (type) {
        case Type::ubyteType:
            if (number < 0 || number > 0xff) return false;
            putUbyte(out, static_cast<std::uint8_t>(number));
            return true;
        case Type::ushortType:
            if (number < 0 || number > 0xffff) return false;
            putUshort(out, static_cast<std::uint16_t>(number));
            return true;
        case Type::uintType:
            if (number < 0 || number > 0xffff'ffffll) return false;
            putUint(out, static_cast<std::uint32_t>(number));
            return true;
        case Type::ulongType:
            if (number < 0) return false;
            putUlong(out, static_cast<std::uint64_t>(number));
            return true;
        case Type::charType:
            if (number < 0 || number > 0x10ffff) return false;
            putChar(out, static_cast<std::uint32_t>(number));
            return true;
        case Type::timestamp:
            putTimestamp(out, number);
            return true;
        default:
            return false;
    }
}

bool putRaw(std::string& out, Type type, std::string_view bytes) {
    const auto is = [&](Type wanted, std::size_t size, unsigned code) {
        if (type != wanted || bytes.size() != size) return false;
        out += static_cast<char>(code);
        out += bytes;
        return true;
    };
    return is(Type::decimal32, 4, 0x74) || is(Type::decimal64, 8, 0x84) ||
           is(Type::decimal128, 16, 0x94);
}

}  // namespace

bool toValue(const Item& item, Value& value) {
    switch (item.type) {
        case Type::null:
            value = std::monostate();
            return true;
        case Type::boolean:
            value = item.bits != 0;
            return true;
        case Type::byteType:
            value = static_cast<std::int8_t>(item.bits);
            return true;
        case Type::shortType:
            value = static_cast<std::int16_t>(item.bits);
            return true;
        case Type::intType:
            value = static_cast<std::int32_t>(item.bits);
            return true;
        case Type::longType:
            value = item.number();
            return true;
        case Type::floatType:
            value = std::bit_cast<float>(static_cast<std::uint32_t>(item.bits));
            return true;
        case Type::doubleType:
            value = std::bit_cast<double>(item.bits);
            return true;
        case Type::charType:
            value = static_cast<char16_t>(item.bits);
            return item.bits <= 0xffff;
        case Type::string:
            value = std::string(item.bytes);
            return true;
        case Type::binary:
            value = Bytes{std::string(item.bytes)};
            return true;
        default:
            return false;
    }
}

bool toProperty(const Item& item, Value& value, bool& exact) {
    exact = toValue(item, value);
    if (exact) return true;
    switch (item.type) {
        case Type::ubyteType:
            value = static_cast<std::int16_t>(item.bits);
            return true;
        case Type::ushortType:
            value = static_cast<std::int32_t>(item.bits);
            return true;
        case Type::uintType:
        case Type::timestamp:
        case Type::charType:
            value = item.number();
            return true;
        case Type::ulongType:
            if (item.number() < 0)
                value = std::to_string(item.bits);
            else
                value = item.number();
            return true;
        case Type::uuid:
            value = uuidText(item.bytes);
            return true;
        case Type::symbol:
            value = std::string(item.bytes);
            return true;
        case Type::decimal32:
        case Type::decimal64:
        case Type::decimal128:
            value = Bytes{std::string(item.bytes)};
            return true;
        default:
            return false;
    }
}

bool putAs(std::string& out, Type type, const Value& value) {
    if (const auto number = integer(value)) return putNumber(out, type, *number);
    if (const auto* bytes = std::get_if<Bytes>(&value)) return putRaw(out, type, bytes->data);
    const auto* text = std::get_if<std::string>(&value);
    if (!text) return false;
    if (type == Type::symbol) {
        putSymbol(out, *text);
        return true;
    }
    std::string bytes;
    if (type != Type::uuid || !uuidBytes(*text, bytes)) return false;
    putUuid(out, bytes);
    return true;
}

}  // namespace busbar::amqp
