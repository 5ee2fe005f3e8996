// Bytes to structures and structures to bytes. No sockets, no clock, no threads.
#pragma once

#include "adapters/openwire/cache.h"
#include "adapters/openwire/structure.h"
#include "adapters/openwire/wire_format.h"
#include "bus/base/result.h"

#include <string>
#include <string_view>

namespace busbar::openwire {

struct DecoderLimits {
    std::size_t frameBytesMax = 16u << 10;  ///< after the size prefix; small before login
    std::size_t stringBytesMax = 65'535;    ///< of one string on the wire
    std::size_t elementsMax = 1024;         ///< of one array or stack trace
    int depthMax = 8;                       ///< structures, and causes of errors, within each other
    std::size_t cacheBytesMax = 1u << 20;   ///< what the peer may have us remember
};

/// Problem: a read ends anywhere, yet most reads hold many whole frames. A frame that lies wholly
/// in the input is read from there; only the one that is cut is gathered, and its content then
/// shares the gathered memory. What may be gathered is bounded before it is; memory grows with what
/// came, not with what was announced.
class Decoder {
  public:
    explicit Decoder(DecoderLimits limits) : limits_(limits) {}

    void setLimits(DecoderLimits limits) { limits_ = limits; }
    /// From the next frame on. Empties the cache.
    void setFormat(const WireFormat& format);

    /// Takes bytes off the front of `input`. Returns the next structure (good until the next call;
    /// the caller may move out of it), or nullptr where all of `input` was taken and a frame is
    /// still incomplete. An error is final: malformed, tooLarge or unsupported; the text says what
    /// and where.
    Result<Structure*> next(std::string_view& input);

    /// Bytes kept for the frame that is incomplete.
    std::size_t gathered() const { return gathered_.size(); }

  private:
    Result<Structure*> decode(std::string_view frame, const Buffer* owner);
    Result<std::size_t> sizeOf(std::string_view prefix) const;

    DecoderLimits limits_;
    WireFormat format_;
    ReaderCache cache_;
    Structure structure_;
    std::string gathered_;  ///< size prefix, then the frame, as far as they came
};

/// One frame as bytes, in four pieces. Views are good until the encoder is used again.
struct EncodedFrame {
    std::string_view prefix;  ///< size, type, and the booleans of tight encoding
    std::string_view head;
    Buffer content;  ///< empty unless it was large enough to be shared
    std::string_view tail;
};

/// Writes frames in the format of the connection. What is encoded must be sent, in that order: the
/// cache's slots refer back to it.
class Encoder {
  public:
    /// Blobs from this size on are given out without being copied.
    explicit Encoder(std::size_t shareFrom = 16u << 10) : shareFrom_(shareFrom) {}

    /// From the next frame on. Empties the cache.
    void setFormat(const WireFormat& format);
    const WireFormat& format() const { return format_; }

    /// tooLarge: a string, array or the frame is longer than the wire can say; nothing is
    /// remembered then, and the next frame may be encoded. A WireFormatInfo is always written
    /// loose.
    Result<EncodedFrame> encode(const Structure& structure);
    /// The same, appended in one piece.
    Result<void> append(const Structure& structure, std::string& out);

  private:
    Result<EncodedFrame> encode(const Structure& structure, const WireFormat& format,
                                std::size_t shareFrom);

    std::size_t shareFrom_;
    WireFormat format_;
    WriterCache cache_;
    std::string prefix_, flags_, data_;
};

}  // namespace busbar::openwire
