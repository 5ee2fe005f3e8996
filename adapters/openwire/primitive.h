// ActiveMQ's primitive maps and streams: what properties, map bodies, stream bodies and the
// properties of WireFormatInfo are made of. Big-endian, each value with a type byte.
#pragma once

#include "bus/message/body.h"

namespace busbar::openwire {

struct PrimitiveLimits {
    std::size_t entriesMax = 10'000;  ///< of one map or list
    int depthMax = kBodyDepthMax;     ///< maps and lists within each other, the outermost included
};

/// A whole map. Counts and lengths are checked against what is there before anything is allocated.
/// malformed or tooLarge, with the byte.
Result<BodyMap> readPrimitiveMap(std::string_view bytes, PrimitiveLimits limits);
/// Values up to the end of `bytes`.
Result<BodyList> readPrimitiveStream(std::string_view bytes, PrimitiveLimits limits);

/// tooLarge for a key of more than 65 535 bytes of modified UTF-8; then `out` is as it was.
Result<void> appendPrimitiveMap(std::string& out, const BodyMap& map);
Result<void> appendPrimitiveStream(std::string& out, const BodyList& values);

}  // namespace busbar::openwire
