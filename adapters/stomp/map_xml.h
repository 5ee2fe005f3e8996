// ActiveMQ's spelling of a map as XML (`transformation:jms-map-xml`), for clients that send it.
#pragma once

#include "bus/base/result.h"

#include <string>
#include <string_view>

namespace busbar::stomp {

/// The encoded body (bus/message/body.h) of
///
///     <map><entry><string>name</string><string>Ann</string></entry>
///          <entry><string>age</string><int>31</int></entry></map>
///
/// Types: boolean, byte, short, int, long, float, double, string, char, byte-array (base64), null.
/// malformed or invalidArgument says which entry is wrong; tooLarge: over 4 MiB, or more than
/// kJsonValuesMax entries. A DOCTYPE or processing instruction is refused, nothing is fetched or
/// expanded.
Result<std::string> mapBodyFromXml(std::string_view xml);

}  // namespace busbar::stomp
