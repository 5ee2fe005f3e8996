// AMQP frames by hand: for what Proton neither says nor shows.
#pragma once

#include "adapters/amqp/types.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::test::raw {

// One encoded value each.
inline std::string null() {
    return "\x40";
}
inline std::string yes(bool value = true) {
    return value ? "\x41" : "\x42";
}
inline std::string number(std::uint32_t value) {
    std::string out;
    amqp::putUint(out, value);
    return out;
}
inline std::string ubyte(std::uint8_t value) {
    std::string out;
    amqp::putUbyte(out, value);
    return out;
}
inline std::string text(std::string_view value) {
    std::string out;
    amqp::putString(out, value);
    return out;
}
inline std::string symbol(std::string_view value) {
    std::string out;
    amqp::putSymbol(out, value);
    return out;
}
inline std::string binary(std::string_view value) {
    std::string out;
    amqp::putBinary(out, value);
    return out;
}
inline std::string list(const std::vector<std::string>& fields) {
    std::string out;
    amqp::Compound compound(out, amqp::Compound::Kind::list);
    for (const auto& field : fields) out += field;
    compound.end(fields.size());
    return out;
}
inline std::string described(std::uint8_t code, const std::vector<std::string>& fields) {
    std::string out;
    amqp::putDescriptor(out, code);
    return out + list(fields);
}
/// Tags and states, as in attach's unsettled.
inline std::string unsettled(const std::vector<std::pair<std::string, std::string>>& entries) {
    std::string out;
    amqp::Compound compound(out, amqp::Compound::Kind::map);
    for (const auto& [tag, state] : entries) out += binary(tag) + state;
    compound.end(2 * entries.size());
    return out;
}
inline std::string accepted() {
    return described(0x24, {});
}

/// A frame of channel 0.
inline std::string frame(const std::string& performative, std::string_view payload = {},
                         char type = 0) {
    const std::size_t size = 8 + performative.size() + payload.size();
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
    out += '\2';
    out += type;
    out += std::string(2, '\0');
    return out + performative + std::string(payload);
}
inline std::string frame(std::uint8_t code, const std::vector<std::string>& fields,
                         std::string_view payload = {}) {
    return frame(described(code, fields), payload);
}

/// A frame that came.
struct Read {
    std::uint64_t code = 0;                    ///< 0: empty
    std::shared_ptr<const std::string> bytes;  ///< what `fields` are views of, also in copies
    amqp::Item fields;
    std::string payload;
};

/// All whole frames at the front of `bytes`, which are taken off; headers are passed over.
inline std::vector<Read> frames(std::string& bytes) {
    std::vector<Read> out;
    while (bytes.size() >= 8) {
        if (bytes.starts_with("AMQP")) {
            bytes.erase(0, 8);
            continue;
        }
        std::size_t size = 0;
        for (const char c : bytes.substr(0, 4)) size = size << 8 | static_cast<unsigned char>(c);
        if (bytes.size() < size) break;
        Read& read = out.emplace_back();
        read.bytes = std::make_shared<const std::string>(bytes.substr(8, size - 8));
        bytes.erase(0, size);
        if (read.bytes->empty()) continue;
        amqp::Reader reader(*read.bytes);
        auto item = reader.next();
        if (!item) continue;
        read.code = item->at(0).bits;
        read.payload = read.bytes->substr(reader.position());
        read.fields = std::move(item->items[1]);
    }
    return out;
}

}  // namespace busbar::test::raw
