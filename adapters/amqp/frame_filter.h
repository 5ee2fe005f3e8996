// What Proton leaves out of frames: unsettled maps and resumed transfers (AMQP 1.0 sections 2.6.13,
// 2.7.3, 2.7.5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::amqp {

/// What one end of a link says of its deliveries when the link is resumed.
struct Unsettled {
    struct Entry {
        std::string tag;
        std::uint64_t state = 0;  ///< descriptor of the delivery state (0x24: accepted); 0: none
    };
    std::vector<Entry> entries;
    bool complete = true;  ///< false: there are more, which did not fit (incomplete-unsettled)
};

/// Stands between the bytes of a connection and Proton's driver, behind the login.
///
/// Problem: Proton 0.37 reads attach frames without their unsettled maps and transfers without
/// their resume flag, and writes neither. So this one looks at the frames on their way in and hands
/// out what Proton does not show; on their way out it puts in what Proton does not write.
///
/// Frames that are none of these cost a look at their size and at one byte. Only frames that it has
/// to read are kept until they are whole, so never more than one frame of ours. Output is looked at
/// only while there is something to put in. No Proton types, no I/O.
class FrameFilter {
  public:
    /// `frameBytesMax`: of the frames that come in; Proton refuses larger ones.
    explicit FrameFilter(std::uint32_t frameBytesMax) : frameBytesMax_(frameBytesMax) {}

    // ---- in

    /// How many of `bytes`, which begin where the last ones that passed() had ended, may go on now.
    /// The open frame is changed in place: Proton is told of kRoom bytes less a frame, which are
    /// for what output() puts in.
    std::size_t input(std::span<char> bytes);
    /// So many have gone on.
    void passed(std::size_t bytes) { ahead_ -= bytes; }

    /// The map of the next attach frame for the link of that name which came in and was not asked
    /// about yet: once for each, in their order. Nothing: it had none.
    std::optional<Unsettled> takeUnsettled(std::string_view link, bool peerSends);
    /// Whether a transfer of this tag had the resume flag; true once. Only for links whose attach
    /// had a map, and tags that were in it.
    bool takeResumed(std::string_view link, std::string_view tag);

    // ---- out

    /// The attach frame for this link that Proton writes next gets this map. Where we send, the
    /// deliveries of the map get the resume flag when they are transferred.
    void answer(std::string_view link, bool weSend, Unsettled map);
    /// The map did not fit into the peer's frames, and says that it is not complete. Once.
    bool takeWasCut() { return std::exchange(cut_, false); }
    /// False: output may go out as it is. Changes from false to true by answer() alone, and only
    /// between frames.
    bool rewrites() const { return !answers_.empty() || !resuming_.empty() || !carry_.empty(); }
    /// Appends what goes out for `bytes`; the beginning of a frame waits for its end.
    void output(std::string_view bytes, std::string& out);
    /// Whether the peer's frames have room for what a resumed transfer needs.
    bool canResume() const { return peerFrameBytesMax_ >= kFrameBytesMin + kRoom; }

    static constexpr std::uint32_t kRoom = 32;
    static constexpr std::uint32_t kFrameBytesMin = 512;  // AMQP 1.0 section 2.4.1

  private:
    /// A link's end: channel and handle.
    using End = std::pair<std::uint16_t, std::uint64_t>;
    struct Attached {
        std::string link;
        bool peerSends = false;
        std::optional<Unsettled> map;
    };
    struct Resuming {
        std::string link;
        std::set<std::string, std::less<>> tags;
    };

    std::size_t frameAt(std::span<char> bytes);
    bool wants(std::uint8_t code) const;
    void readFrame(std::span<char> frame);
    void readOpen(std::span<char> frame);
    void readAttach(std::string_view frame);
    void readTransfer(std::string_view frame);
    void writeFrame(std::string_view frame, std::string& out);
    bool writeAttach(std::string_view frame, std::string& out);
    bool writeTransfer(std::string_view frame, std::string& out);
    static void forget(std::map<End, Resuming>& ends, std::string_view frame);

    const std::uint32_t frameBytesMax_;
    std::uint32_t peerFrameBytesMax_ = 0xffff'ffff;
    std::size_t ahead_ = 0;  ///< bytes that may go on, also of those that have not come yet
    bool lost_ = false;      ///< these are no frames: Proton says so
    std::deque<Attached> attached_;
    std::map<End, Resuming> arriving_;                          ///< tags that may come resumed
    std::vector<std::pair<std::string, std::string>> resumed_;  ///< link, tag: that have

    std::map<std::pair<std::string, bool>, Unsettled> answers_;
    std::map<End, Resuming> resuming_;  ///< tags that are to go out resumed
    std::string carry_;                 ///< output: the beginning of a frame
    bool cut_ = false;
};

}  // namespace busbar::amqp
