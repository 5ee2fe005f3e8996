// The content of OpenWire's messages and the bodies of the bus's. Private to mapping.cpp.
#pragma once

#include "adapters/openwire/mapping.h"

namespace busbar::openwire {

/// Sets bodyKind and body.
Result<void> readContent(const WireMessage& from, Message& to, const MappingLimits& limits);

/// Sets kind and content.
Result<void> writeContent(const Message& from, WireMessage& to);

/// A text message without a text (null, not ""), which JMS tells apart and the bus's bodies cannot:
/// a property of this name says so between two OpenWire clients.
inline constexpr std::string_view kNullTextProperty = "busbar_nullText";

}  // namespace busbar::openwire
