// Lists of message numbers as people and headers write them.
#pragma once

#include "bus/base/ids.h"
#include "bus/base/result.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace busbar {

/// Reads numbers and ranges, ascending or not, repeated or not: "4,7,9-12". Empty text: no ids.
/// `countMax` bounds how many there are in all (tooLarge). invalidArgument names the item that is
/// wrong; the caller says which header or parameter it stood in.
Result<std::vector<StoredId>> parseIdList(std::string_view text, std::size_t countMax);

}  // namespace busbar
