#include "xml-schemas/module/xerces_runtime.h"

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

XercesRuntime::XercesRuntime() {
    const std::lock_guard lock(initialisation());
    // NOLINTNEXTLINE(concurrency-mt-unsafe): `main` has set it; only tests reach this without
    ::setenv("XERCES_DISABLE_DTD", "1", 0);
    xercesc::XMLPlatformUtils::Initialize();
}

XercesRuntime::~XercesRuntime() {
    const std::lock_guard lock(initialisation());
    xercesc::XMLPlatformUtils::Terminate();
}

}  // namespace busbar::xml
