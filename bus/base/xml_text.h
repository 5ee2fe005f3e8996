// Text within XML. (Reading XML is xml-schemas'.)
#pragma once

#include <string>
#include <string_view>

namespace busbar {

/// `text` as the value of an attribute in double quotes: '&', '<' and '"' as entities. Line ends
/// and tabs, which a reader would take for blanks, as character references. What XML 1.0 cannot say
/// (other control characters) is left as it is: the caller has checked.
std::string xmlAttribute(std::string_view text);

}  // namespace busbar
