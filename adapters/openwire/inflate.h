// zlib streams (RFC 1950), as ActiveMQ's useCompression makes them.
#pragma once

#include "bus/base/result.h"

#include <string>
#include <string_view>

namespace busbar::openwire {

/// The bytes that `deflated` stands for. tooLarge as soon as there are more than `bytesMax`: memory
/// grows with what comes out and stops there. malformed where it is no whole zlib stream.
Result<std::string> inflate(std::string_view deflated, std::size_t bytesMax);

}  // namespace busbar::openwire
