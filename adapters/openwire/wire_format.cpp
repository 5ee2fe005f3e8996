#include "adapters/openwire/wire_format.h"

#include "adapters/openwire/primitive.h"

#include <algorithm>

namespace busbar::openwire {
namespace {

// A WireFormatInfo comes before any login.
constexpr PrimitiveLimits kInfoLimits{64, 1};

void put(BodyMap& map, const char* name, Value value) {
    map.push_back({name, {std::move(value)}});
}

/// The value of a property where it has this type, else `fallback`.
template <class T>
T get(const BodyMap& map, std::string_view name, T fallback) {
    for (const auto& [key, value] : map) {
        if (key != name) continue;
        const auto* scalar = std::get_if<Value>(&value.data);
        const auto* typed = scalar ? std::get_if<T>(scalar) : nullptr;
        return typed ? *typed : fallback;
    }
    return fallback;
}

/// The smaller of two limits where 0 or less means that there is none.
template <class T>
T smaller(T a, T b) {
    if (a <= T{}) return std::max(b, T{});
    return b <= T{} ? a : std::min(a, b);
}

Milliseconds millis(const BodyMap& map, std::string_view name) {
    constexpr std::int64_t kDay = 86'400'000;
    return Milliseconds(std::clamp<std::int64_t>(get(map, name, std::int64_t{0}), 0, kDay));
}

}  // namespace

WireFormatInfo makeInfo(const FormatOffer& offer) {
    BodyMap map;
    put(map, "CacheEnabled", offer.cache);
    put(map, "CacheSize", offer.cacheSize);
    put(map, "TightEncodingEnabled", offer.tightEncoding);
    put(map, "SizePrefixDisabled", offer.sizePrefixDisabled);
    put(map, "StackTraceEnabled", offer.stackTraces);
    put(map, "TcpNoDelayEnabled", offer.tcpNoDelay);
    put(map, "MaxInactivityDuration", std::int64_t{offer.inactivity.count()});
    put(map, "MaxInactivityDurationInitalDelay", std::int64_t{offer.inactivityInitial.count()});
    if (offer.frameBytesMax > 0) put(map, "MaxFrameSize", offer.frameBytesMax);
    if (!offer.host.empty()) put(map, "Host", offer.host);
    if (!offer.providerName.empty()) put(map, "ProviderName", offer.providerName);
    if (!offer.providerVersion.empty()) put(map, "ProviderVersion", offer.providerVersion);
    if (!offer.platformDetails.empty()) put(map, "PlatformDetails", offer.platformDetails);
    std::string bytes;
    // Our own names are short: this cannot fail.
    (void)appendPrimitiveMap(bytes, map);
    WireFormatInfo info;
    info.version = offer.version;
    info.marshalledProperties = Buffer::of(std::move(bytes));
    return info;
}

Result<FormatOffer> readInfo(const WireFormatInfo& info) {
    if (info.magic != WireFormatInfo::kMagic) {
        return {ErrorCode::malformed, "WireFormatInfo does not begin with ActiveMQ: not OpenWire"};
    }
    BodyMap map;
    if (info.marshalledProperties) {
        auto read = readPrimitiveMap(info.marshalledProperties->view(), kInfoLimits);
        if (!read) {
            return {read.error().code, "properties of WireFormatInfo: " + read.error().text};
        }
        map = std::move(*read);
    }
    FormatOffer offer;
    offer.version = info.version;
    offer.cache = get(map, "CacheEnabled", false);
    offer.cacheSize = get(map, "CacheSize", std::int32_t{0});
    offer.tightEncoding = get(map, "TightEncodingEnabled", false);
    offer.sizePrefixDisabled = get(map, "SizePrefixDisabled", false);
    offer.stackTraces = get(map, "StackTraceEnabled", false);
    offer.tcpNoDelay = get(map, "TcpNoDelayEnabled", false);
    offer.inactivity = millis(map, "MaxInactivityDuration");
    offer.inactivityInitial = millis(map, "MaxInactivityDurationInitalDelay");
    offer.frameBytesMax = get(map, "MaxFrameSize", std::int64_t{0});
    offer.host = get(map, "Host", std::string());
    offer.providerName = get(map, "ProviderName", std::string());
    offer.providerVersion = get(map, "ProviderVersion", std::string());
    offer.platformDetails = get(map, "PlatformDetails", std::string());
    return offer;
}

Result<Agreement> agree(const FormatOffer& ours, const FormatOffer& theirs) {
    const std::int32_t version = std::min(ours.version, theirs.version);
    if (version < kVersionMin) {
        return {ErrorCode::unsupported, "OpenWire version " + std::to_string(theirs.version) +
                                            " is not spoken here: versions 9 to 12 are"};
    }
    Agreement agreed;
    agreed.format.version = version;
    agreed.format.tight = ours.tightEncoding && theirs.tightEncoding;
    agreed.format.cache = ours.cache && theirs.cache;
    agreed.format.stackTraces = ours.stackTraces && theirs.stackTraces;
    if (agreed.format.cache) {
        // 0 stands for ActiveMQ's own size there.
        constexpr std::int32_t kUnsaidSize = 32767 / 2;
        const std::int32_t size = std::min(ours.cacheSize, theirs.cacheSize);
        agreed.format.cacheSize =
            static_cast<std::size_t>(size <= 0 ? kUnsaidSize : std::min(size, 32767));
    }
    agreed.inactivity = std::min(ours.inactivity, theirs.inactivity);
    agreed.inactivityInitial = std::min(ours.inactivityInitial, theirs.inactivityInitial);
    agreed.frameBytesMax = smaller(ours.frameBytesMax, theirs.frameBytesMax);
    return agreed;
}

}  // namespace busbar::openwire
