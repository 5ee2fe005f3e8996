// Private to this folder: an envelope in the other version.
#pragma once

#include "adapters/soap/names.h"

#include <pugixml.hpp>

namespace busbar::soap {

/// Changes the envelope in `document` from one version to the other: namespace, header attributes,
/// fault. Payload, detail and other headers stay as they are, with their namespace declarations.
void convertEnvelope(pugi::xml_document& document, Version from, Version to);

}  // namespace busbar::soap
