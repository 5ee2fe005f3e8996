// Shorthands of this folder's tests.
#pragma once

#include "xml-schemas/xml.h"

#include <cppunit/extensions/HelperMacros.h>

namespace busbar::xml {

inline std::shared_ptr<const SchemaSet> mustBuild(std::vector<Source> sources) {
    auto built = SchemaSet::build(std::move(sources));
    CPPUNIT_ASSERT_MESSAGE(built ? "" : built.error().text, built.ok());
    return *built;
}

inline std::string schema(const std::string& ns, const std::string& content) {
    return "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='" + ns +
           "' targetNamespace='" + ns + "' elementFormDefault='qualified'>" + content +
           "</xs:schema>";
}

/// A root element "r" that may hold anything.
inline std::shared_ptr<const SchemaSet> anything() {
    return mustBuild(
        {{"r.xsd", schema("urn:r",
                          "<xs:element name='r'><xs:complexType mixed='true'><xs:sequence>"
                          "<xs:any namespace='##any' processContents='lax' minOccurs='0' "
                          "maxOccurs='unbounded'/></xs:sequence><xs:anyAttribute "
                          "processContents='lax'/></xs:complexType></xs:element>")}});
}

inline void assertContains(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE("'" + part + "' is not in: " + text,
                           text.find(part) != std::string::npos);
}

}  // namespace busbar::xml
