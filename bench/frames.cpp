#include "bench/frames.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace busbar::bench {
namespace {

constexpr std::size_t kKeyDigits = 5;
constexpr std::size_t kReceiptDigits = 12;
constexpr std::size_t kBlockBytes =
    128 << 10;  // fits the second-level cache together with what is read

Frame::Kind kindOf(std::string_view command) {
    using enum Frame::Kind;
    switch (command.empty() ? '\0' : command[0]) {
        case 'M':
            return command == "MESSAGE" ? message : other;
        case 'R':
            return command == "RECEIPT" ? receipt : other;
        case 'S':
            return command == "SEND"        ? send
                   : command == "SUBSCRIBE" ? subscribe
                   : command == "STOMP"     ? connect
                                            : other;
        case 'A':
            return command == "ACK" ? ack : command == "ABORT" ? abort : other;
        case 'B':
            return command == "BEGIN" ? begin : other;
        case 'C':
            return command == "COMMIT"      ? commit
                   : command == "CONNECT"   ? connect
                   : command == "CONNECTED" ? connected
                                            : other;
        case 'D':
            return command == "DISCONNECT" ? disconnect : other;
        case 'E':
            return command == "ERROR" ? error : other;
        default:
            return other;
    }
}

/// Told apart by length first: most headers of most brokers cost one comparison.
void takeHeader(std::string_view name, std::string_view value, Frame& frame,
                std::size_t& bodyBytes) {
    switch (name.size()) {
        case 2:
            if (name == "id") frame.id = value;
            break;
        case 3:
            if (name == "ack" && frame.kind == Frame::Kind::message) frame.id = value;
            break;
        case 7:
            if (name == "receipt")
                frame.receipt = value;
            else if (name == "message")
                frame.text = value;
            break;
        case 8:
            if (name == "reply-to") frame.replyTo = value;
            break;
        case 10:
            if (name == "receipt-id")
                frame.receipt = value;
            else if (name == "persistent")
                frame.persistent = value == "true";
            break;
        case 11:
            if (name == "destination")
                frame.destination = value;
            else if (name == "transaction")
                frame.transaction = value;
            break;
        case 14:
            if (name == "content-length")
                std::from_chars(value.data(), value.data() + value.size(), bodyBytes);
            break;
        default:
            break;
    }
}

}  // namespace

std::size_t scanFrame(std::string_view bytes, Frame& frame) {
    frame = Frame{};
    const char* const begin = bytes.data();
    const char* const end = begin + bytes.size();
    const char* at = begin;
    while (at != end && (*at == '\n' || *at == '\r')) ++at;
    if (at == end) return bytes.size();

    std::size_t bodyBytes = kBroken;
    for (bool first = true;; first = false) {
        const auto* lineEnd =
            static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
        if (lineEnd == nullptr) return 0;
        std::string_view line(at, static_cast<std::size_t>(lineEnd - at));
        if (line.ends_with('\r')) line.remove_suffix(1);
        at = lineEnd + 1;
        if (first) {
            frame.kind = kindOf(line);
            continue;
        }
        if (line.empty()) break;
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return kBroken;
        takeHeader(line.substr(0, colon), line.substr(colon + 1), frame, bodyBytes);
    }
    const auto left = static_cast<std::size_t>(end - at);
    if (bodyBytes == kBroken) {
        const auto* nul =
            left == 0 ? nullptr : static_cast<const char*>(std::memchr(at, '\0', left));
        if (nul == nullptr) return 0;
        bodyBytes = static_cast<std::size_t>(nul - at);
    }
    if (left <= bodyBytes) return 0;
    if (at[bodyBytes] != '\0') return kBroken;
    frame.body = std::string_view(at, bodyBytes);
    return static_cast<std::size_t>(at - begin) + bodyBytes + 1;
}

bool readStamp(std::string_view body, Stamp& stamp) {
    if (body.size() < sizeof stamp) return false;
    std::memcpy(&stamp, body.data(), sizeof stamp);
    return true;
}

SendBlock::SendBlock(std::string_view headers, std::size_t bodyBytes, bool receipts, unsigned keys)
    : keys_(keys) {
    bodyBytes = std::max(bodyBytes, sizeof(Stamp));
    std::string frame = "SEND\n";
    frame.append(headers);
    if (receipts) {
        frame += "receipt:";
        receiptAt_ = frame.size();
        frame.append(kReceiptDigits, '0').push_back('\n');
    }
    if (keys_ > 0) {
        frame += "key:";
        keyAt_ = frame.size();
        frame.append(keyText(0)).push_back('\n');
    }
    frame += "content-length:" + std::to_string(bodyBytes) + "\n\n";
    bodyAt_ = frame.size();
    for (std::size_t i = 0; i < bodyBytes; ++i) frame.push_back(static_cast<char>('a' + i % 26));
    frame.push_back('\0');
    frameBytes_ = frame.size();
    slots_ = static_cast<unsigned>(std::clamp<std::size_t>(kBlockBytes / frameBytes_, 1, 256));
    for (unsigned i = 0; i < slots_; ++i) frames_ += frame;
}

void SendBlock::fill(unsigned slot, const Stamp& stamp) {
    char* frame = frames_.data() + slot * frameBytes_;
    std::memcpy(frame + bodyAt_, &stamp, sizeof stamp);
    if (keyAt_ != 0) {
        const std::string key = keyText(static_cast<unsigned>(stamp.sequence % keys_));
        std::copy(key.begin(), key.end(), frame + keyAt_);
    }
    if (receiptAt_ == 0) return;
    std::uint64_t number = stamp.sequence;
    for (std::size_t i = kReceiptDigits; i-- > 0; number >>= 4)
        frame[receiptAt_ + i] = "0123456789abcdef"[number & 15];
}

std::string SendBlock::keyText(unsigned key) {
    std::string digits = std::to_string(key);
    return std::string(kKeyDigits - std::min(kKeyDigits, digits.size()), '0') + digits;
}

std::uint64_t SendBlock::receiptNumber(std::string_view receipt) {
    std::uint64_t number = 0;
    const auto [rest, error] =
        std::from_chars(receipt.data(), receipt.data() + receipt.size(), number, 16);
    const bool whole = error == std::errc{} && rest == receipt.data() + receipt.size();
    return whole && receipt.size() == kReceiptDigits ? number : kBroken;
}

}  // namespace busbar::bench
