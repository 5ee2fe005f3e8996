// Configuration files and --set pairs: no crash, and what is read prints as a file that reads the
// same.
#include "server/configuration.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace busbar;
    const std::string text(reinterpret_cast<const char*>(data), size);
    Configuration read;
    if (readConfigurationText(text, "fuzz", "", read)) {
        const auto printed = printConfiguration(read);
        Configuration again;
        if (!readConfigurationText(printed, "printed", "", again)) std::abort();
        if (printConfiguration(again) != printed) std::abort();
    }
    const auto equals = text.find('=');
    if (equals != text.npos) {
        Configuration set;
        (void)setConfigurationValue(set, text.substr(0, equals), text.substr(equals + 1));
    }
    return 0;
}
