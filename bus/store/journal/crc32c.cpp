#include "bus/store/journal/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

namespace busbar::journal {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables makeTables() {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
        tables[0][byte] = crc;
    }
    for (std::size_t t = 1; t < 8; ++t) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t previous = tables[t - 1][byte];
            tables[t][byte] = (previous >> 8) ^ tables[0][previous & 0xff];
        }
    }
    return tables;
}

constexpr Tables kTables = makeTables();

std::uint32_t portable(std::uint32_t crc, const char* data, std::size_t size) {
    while (size >= 8) {
        std::uint64_t word;
        std::memcpy(&word, data, 8);
        word ^= crc;
        crc = kTables[7][word & 0xff] ^ kTables[6][(word >> 8) & 0xff] ^
              kTables[5][(word >> 16) & 0xff] ^ kTables[4][(word >> 24) & 0xff] ^
              kTables[3][(word >> 32) & 0xff] ^ kTables[2][(word >> 40) & 0xff] ^
              kTables[1][(word >> 48) & 0xff] ^ kTables[0][word >> 56];
        data += 8;
        size -= 8;
    }
    while (size-- > 0)
        crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*data++)) & 0xff];
    return crc;
}

#ifdef __SSE4_2__

// The crc instruction has a latency of three cycles and starts one each cycle: three lanes side by
// side keep it busy. Lanes are joined by moving a crc over as many zero bytes as a lane is long,
// which is linear, so four look-ups do it.
constexpr std::size_t kLane = 256;
using ShiftTables = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr ShiftTables makeShift() {
    ShiftTables shift{};
    std::array<std::uint32_t, 32> basis{};
    for (std::size_t bit = 0; bit < 32; ++bit) {
        std::uint32_t crc = 1u << bit;
        for (std::size_t i = 0; i < kLane; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
        basis[bit] = crc;
    }
    for (std::size_t t = 0; t < 4; ++t) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            std::uint32_t sum = 0;
            for (std::size_t bit = 0; bit < 8; ++bit) {
                if (byte & (1u << bit)) sum ^= basis[t * 8 + bit];
            }
            shift[t][byte] = sum;
        }
    }
    return shift;
}

constexpr ShiftTables kShift = makeShift();

std::uint64_t overLane(std::uint64_t crc) {
    return kShift[0][crc & 0xff] ^ kShift[1][(crc >> 8) & 0xff] ^ kShift[2][(crc >> 16) & 0xff] ^
           kShift[3][(crc >> 24) & 0xff];
}

std::uint64_t word(const char* data) {
    std::uint64_t value;
    std::memcpy(&value, data, 8);
    return value;
}

std::uint32_t hardware(std::uint32_t start, const char* data, std::size_t size) {
    std::uint64_t crc = start;
    for (; size >= 3 * kLane; data += 3 * kLane, size -= 3 * kLane) {
        std::uint64_t second = 0;
        std::uint64_t third = 0;
        for (std::size_t i = 0; i < kLane; i += 8) {
            crc = _mm_crc32_u64(crc, word(data + i));
            second = _mm_crc32_u64(second, word(data + kLane + i));
            third = _mm_crc32_u64(third, word(data + 2 * kLane + i));
        }
        crc = overLane(overLane(crc) ^ second) ^ third;
    }
    for (; size >= 8; data += 8, size -= 8) crc = _mm_crc32_u64(crc, word(data));
    auto tail = static_cast<std::uint32_t>(crc);
    while (size-- > 0) tail = _mm_crc32_u8(tail, static_cast<unsigned char>(*data++));
    return tail;
}

#endif

}  // namespace

std::uint32_t crc32cPortable(std::string_view bytes, std::uint32_t crc) {
    return ~portable(~crc, bytes.data(), bytes.size());
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) {
#ifdef __SSE4_2__
    return ~hardware(~crc, bytes.data(), bytes.size());
#else
    return crc32cPortable(bytes, crc);
#endif
}

}  // namespace busbar::journal
