// What both ends agree on before they talk: WireFormatInfo.
#pragma once

#include "adapters/openwire/command.h"
#include "bus/base/clock.h"
#include "bus/base/result.h"

namespace busbar::openwire {

inline constexpr std::int32_t kVersionMax = 12;
inline constexpr std::int32_t kVersionMin = 9;

/// How frames are written. Both ends begin with the default (loose, no cache), in which the
/// WireFormatInfos cross.
struct WireFormat {
    std::int32_t version = kVersionMin;
    bool tight = false;
    bool cache = false;
    std::size_t cacheSize = 0;  ///< slots each way
    bool stackTraces = false;
};

/// The properties of a WireFormatInfo. Our offer is made of these; the peer's are read into them.
struct FormatOffer {
    std::int32_t version = kVersionMax;
    bool tightEncoding = true;
    bool cache = true;
    std::int32_t cacheSize = 1024;
    bool sizePrefixDisabled = false;
    bool stackTraces = false;
    bool tcpNoDelay = true;
    Milliseconds inactivity{30'000};                                   ///< 0: no keep-alive
    Milliseconds inactivityInitial{10'000};                            ///< before the first check
    std::int64_t frameBytesMax = 0;                                    ///< 0: not said
    std::string host, providerName, providerVersion, platformDetails;  ///< empty: not said
};

/// What holds for the connection.
struct Agreement {
    WireFormat format;
    Milliseconds inactivity{0};
    Milliseconds inactivityInitial{0};
    std::int64_t frameBytesMax = 0;  ///< neither side sends more
};

WireFormatInfo makeInfo(const FormatOffer& offer);

/// malformed: the magic or the properties are wrong. Properties that are missing are "no" and 0;
/// ones that are not known are ignored.
Result<FormatOffer> readInfo(const WireFormatInfo& info);

/// The smaller version, sizes and times, and what both want (OpenWire 2, "Negotiating the wire
/// format"). unsupported: the peer speaks nothing from version 9 on.
Result<Agreement> agree(const FormatOffer& ours, const FormatOffer& theirs);

}  // namespace busbar::openwire
