// The bus's errors as AMQP's error conditions: one table.
#pragma once

#include "bus/base/result.h"

namespace busbar::amqp {

/// AMQP 1.0 sections 2.8.15 to 2.8.18 and 4.5.8: "amqp:not-found", ... A static string.
const char* conditionOf(ErrorCode code);

}  // namespace busbar::amqp
