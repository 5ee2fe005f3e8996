#include "bus/core/branch_id.h"

#include <charconv>
#include <optional>

namespace busbar {
namespace {

constexpr std::size_t kPartMax = 64;  // MAXGTRIDSIZE, MAXBQUALSIZE

void putHex(std::string& out, std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
}

std::optional<std::string> readHex(std::string_view digits) {
    if (digits.size() % 2 != 0) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        unsigned byte = 0;
        const auto* end = digits.data() + i + 2;
        const auto read = std::from_chars(digits.data() + i, end, byte, 16);
        if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
        out += static_cast<char>(byte);
    }
    return out;
}

}  // namespace

Result<void> checkBranchId(const BranchId& id) {
    if (!id.global.empty() && id.global.size() <= kPartMax && id.branch.size() <= kPartMax)
        return {};
    return {
        ErrorCode::invalidArgument,
        "an XA transaction id has a global part of 1 to 64 bytes and a branch of up to 64, got " +
            std::to_string(id.global.size()) + " and " + std::to_string(id.branch.size())};
}

std::string toText(const BranchId& id) {
    std::string out = std::to_string(id.format) + ":";
    putHex(out, id.global);
    out += ':';
    putHex(out, id.branch);
    return out;
}

Result<BranchId> parseBranchId(std::string_view text) {
    const Error wrong{ErrorCode::invalidArgument,
                      "'" + std::string(text) +
                          "' is not an XA transaction id: FORMAT:GLOBAL:BRANCH is expected, the "
                          "parts in hexadecimal digits, as in 4711:01ff:09"};
    const auto first = text.find(':');
    const auto second = first == text.npos ? first : text.find(':', first + 1);
    if (second == text.npos) return wrong;
    BranchId id;
    const auto read = std::from_chars(text.data(), text.data() + first, id.format);
    if (read.ec != std::errc() || read.ptr != text.data() + first) return wrong;
    auto global = readHex(text.substr(first + 1, second - first - 1));
    auto branch = readHex(text.substr(second + 1));
    if (!global || !branch) return wrong;
    id.global = std::move(*global);
    id.branch = std::move(*branch);
    if (!checkBranchId(id)) return wrong;
    return id;
}

}  // namespace busbar
