// Private to this folder: Xerces strings (UTF-16) to ours (UTF-8).
#pragma once

#include <xercesc/util/TransService.hpp>
#include <xercesc/util/XMLString.hpp>

#include <string>

namespace busbar::xml {

inline std::string toUtf8(const XMLCh* text) {
    if (text == nullptr || *text == 0) return {};
    const xercesc::TranscodeToStr converted(text, "UTF-8");
    return {reinterpret_cast<const char*>(converted.str()), converted.length()};
}

inline std::string toUtf8(const XMLCh* text, XMLSize_t length) {
    if (length == 0) return {};
    const xercesc::TranscodeToStr converted(text, length, "UTF-8");
    return {reinterpret_cast<const char*>(converted.str()), converted.length()};
}

/// Owns the UTF-16 form of a UTF-8 text.
class XercesText {
  public:
    explicit XercesText(std::string_view text)
        : converted_(reinterpret_cast<const XMLByte*>(text.data()), text.size(), "UTF-8") {}
    const XMLCh* get() const { return converted_.str(); }

  private:
    xercesc::TranscodeFromStr converted_;
};

}  // namespace busbar::xml
