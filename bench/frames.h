// The little of STOMP 1.2 that the load generator and the limit program speak: no escapes, no
// checks beyond the grammar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::bench {

/// A frame as views into the bytes it was scanned from. Header values stay encoded, so that an id
/// can be sent back as it came.
struct Frame {
    enum class Kind : unsigned char {
        none,  ///< Only line ends (heart-beats).
        connect,
        connected,
        send,
        subscribe,
        ack,
        begin,
        commit,
        abort,
        disconnect,
        receipt,
        message,
        error,
        other,
    };
    Kind kind = Kind::none;
    bool persistent = false;
    std::string_view destination;
    std::string_view receipt;  ///< `receipt`, or `receipt-id` of RECEIPT and ERROR.
    std::string_view id;       ///< `ack` of MESSAGE, `id` of ACK and SUBSCRIBE.
    std::string_view replyTo;
    std::string_view transaction;
    std::string_view text;  ///< `message` of ERROR.
    std::string_view body;
};

/// `scanFrame` result for bytes that are no STOMP.
constexpr std::size_t kBroken = static_cast<std::size_t>(-1);

/// Scans the first frame of `bytes`. Returns how many bytes it took with the line ends before it;
/// 0: it is not complete yet (`frame` is then undefined); kBroken: no STOMP. Scanning twice is
/// fine: nothing is kept.
std::size_t scanFrame(std::string_view bytes, Frame& frame);

/// What every message of a run begins with. Travels as it lies in memory: sender and receiver are
/// one process.
struct Stamp {
    std::uint32_t run = 0;
    std::uint32_t producer = 0;
    std::uint64_t sequence = 0;
    std::uint64_t sentNs = 0;
};

/// False when the body cannot hold a stamp.
bool readStamp(std::string_view body, Stamp& stamp);

/// A block of SEND frames, encoded once; sending a message again means to overwrite its stamp and
/// the digits of its receipt. Frames go out in the order of their slots, a batch at a time. One
/// thread.
class SendBlock {
  public:
    /// `headers`: complete lines ("destination:/queue/a\n..."). Bodies are `bodyBytes` long, at
    /// least a Stamp. `keys` over 0: each frame has a header `key`, 00000 to `keys`-1 in turn.
    SendBlock(std::string_view headers, std::size_t bodyBytes, bool receipts, unsigned keys = 0);

    unsigned slots() const { return slots_; }
    /// Makes slot `slot` the message `stamp`. Only between batches.
    void fill(unsigned slot, const Stamp& stamp);
    /// The batch is slots 0 to `count`-1.
    void launch(unsigned count) {
        rest_ = std::string_view(frames_).substr(0, count * frameBytes_);
    }
    /// What of the batch is not written yet; empty: the next may be filled.
    std::string_view rest() const { return rest_; }
    void wrote(std::size_t bytes) { rest_.remove_prefix(bytes); }

    /// What the header `key` says for this number.
    static std::string keyText(unsigned key);
    /// The number in a RECEIPT of such a frame; kBroken when it is none of ours.
    static std::uint64_t receiptNumber(std::string_view receipt);

  private:
    std::size_t receiptAt_ = 0;  ///< Offset of the digits in a frame; 0: no receipts.
    std::size_t keyAt_ = 0;      ///< The same of the key's.
    unsigned keys_;
    std::size_t bodyAt_ = 0;
    std::size_t frameBytes_ = 0;
    unsigned slots_ = 0;
    std::string frames_;
    std::string_view rest_;
};

}  // namespace busbar::bench
