// UTF-8 (RFC 3629): is it, and how to show what is not.
#pragma once

#include <string>
#include <string_view>

namespace busbar {

/// True for well-formed UTF-8: no overlong forms, no surrogates, nothing over U+10FFFF.
bool isUtf8(std::string_view text);

/// The same of a text that comes in pieces, which may cut characters.
class Utf8Check {
  public:
    void push(std::string_view piece);
    /// Whether all that came so far is UTF-8 and ends with a whole character.
    bool isWhole() const { return good_ && cut_.empty(); }

  private:
    std::string cut_;  ///< the character that the last piece ended within
    bool good_ = true;
};

/// `text` where it is UTF-8, else with '?' for each byte that is not ASCII: what a client sent may
/// be quoted back to it or to others.
std::string showable(std::string_view text);

}  // namespace busbar
