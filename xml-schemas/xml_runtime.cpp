#include "xml-schemas/xml.h"

#include <xercesc/util/PlatformUtils.hpp>

#include <cstdlib>
#include <mutex>

namespace busbar::xml {
namespace {

// Xerces counts its own initialisations but does not lock around the count.
std::mutex& initialisation() {
    static std::mutex mutex;
    return mutex;
}

}  // namespace

XmlRuntime::XmlRuntime() {
    const std::lock_guard lock(initialisation());
    ::setenv("XERCES_DISABLE_DTD", "1", 0);
    xercesc::XMLPlatformUtils::Initialize();
}

XmlRuntime::~XmlRuntime() {
    const std::lock_guard lock(initialisation());
    xercesc::XMLPlatformUtils::Terminate();
}

}  // namespace busbar::xml
