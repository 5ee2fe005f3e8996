// Message ids and correlation ids (AMQP 1.0 section 3.2.11) as JMS clients spell them.
#include "adapters/amqp/mapping.h"
#include "adapters/amqp/values.h"

#include <charconv>

namespace busbar::amqp {
namespace {

constexpr std::string_view kUlong = "ID:AMQP_ULONG:";
constexpr std::string_view kUuid = "ID:AMQP_UUID:";
constexpr std::string_view kBinary = "ID:AMQP_BINARY:";

std::string hex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool fromHex(std::string_view text, std::string& bytes) {
    if (text.size() % 2 != 0) return false;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit(text[i]);
        const int low = digit(text[i + 1]);
        if (high < 0 || low < 0) return false;
        bytes += static_cast<char>(high << 4 | low);
    }
    return true;
}

}  // namespace

std::string uuidText(std::string_view bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        for (const char c : hex(bytes.substr(i, 1)))
            out += c >= 'A' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

bool uuidBytes(std::string_view text, std::string& bytes) {
    if (text.size() != 36) return false;
    std::string digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-')) return false;
        if (!dash) digits += text[i];
    }
    return fromHex(digits, bytes);
}

Result<std::string> idText(const Item& id) {
    switch (id.type) {
        case Type::null:
            return std::string();
        case Type::string:
            return std::string(id.bytes);
        case Type::ulongType:
            return std::string(kUlong) + std::to_string(id.bits);
        case Type::uuid:
            return std::string(kUuid) + uuidText(id.bytes);
        case Type::binary:
            return std::string(kBinary) + hex(id.bytes);
        default:
            return {ErrorCode::malformed, "a message id is a string, ulong, uuid or binary, not " +
                                              std::string(name(id.type))};
    }
}

void putId(std::string& out, std::string_view text) {
    std::string bytes;
    if (text.starts_with(kUlong)) {
        const auto digits = text.substr(kUlong.size());
        std::uint64_t number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error == std::errc() && end == digits.data() + digits.size())
            return putUlong(out, number);
    }
    if (text.starts_with(kUuid) && uuidBytes(text.substr(kUuid.size()), bytes))
        return putUuid(out, bytes);
    bytes.clear();
    if (text.starts_with(kBinary) && fromHex(text.substr(kBinary.size()), bytes))
        return putBinary(out, bytes);
    putString(out, text);
}

}  // namespace busbar::amqp
