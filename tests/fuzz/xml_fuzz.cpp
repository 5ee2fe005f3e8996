// The validator and the envelope reader on anything: no crash, and what they accept converts to
// both versions.
#include "adapters/soap/envelope.h"
#include "xml-schemas/xml.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace busbar;
    static const auto schemas =
        xml::SchemaSet::build({{"11.xsd", std::string(*xml::schemaText("soap11-envelope.xsd"))},
                               {"12.xsd", std::string(*xml::schemaText("soap12-envelope.xsd"))}});
    if (!schemas) std::abort();
    static const xml::Validator validator(
        *schemas, {.bytesMax = 1u << 20, .depthMax = 64, .attributesMax = 64});
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const bool valid = validator.validate(text).ok();
    auto envelope = soap::Envelope::parse(text);
    if (!envelope) return 0;
    (void)envelope->notUnderstood({});
    (void)envelope->isSenderFault();
    envelope->dropNextHeaders();
    for (const auto version : {soap::Version::v11, soap::Version::v12}) {
        const auto again = soap::Envelope::parse(envelope->text(version));
        if (valid && (!again || again->version() != version)) std::abort();
    }
    return 0;
}
