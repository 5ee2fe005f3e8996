#include "adapters/stomp/map_xml.h"

#include "bus/message/json.h"
#include "bus/message/json_reader.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace busbar;
using namespace std::string_literals;

class MapXmlTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MapXmlTest);
    CPPUNIT_TEST(readsEveryType);
    CPPUNIT_TEST(namesWhatIsWrong);
    CPPUNIT_TEST(takesNothingHostile);
    CPPUNIT_TEST_SUITE_END();

    static std::string entry(const std::string& value) {
        return "<map><entry><string>a</string>" + value + "</entry></map>";
    }

  public:
    void readsEveryType() {
        const auto body = stomp::mapBodyFromXml(
            "<?xml version='1.0'?>\n<map>\n  <entry>\n    <string>name</string>\n    "
            "<string>A &amp; &#228; <![CDATA[<b>]]></string>\n  </entry>"
            "<entry><string>i</string><int>-31</int></entry><entry><string>l</string><long>9</"
            "long></entry>"
            "<entry><string>s</string><short>2</short></entry><entry><string>y</string><byte>1</"
            "byte></entry>"
            "<entry><string>f</string><float>0.5</float></entry><entry><string>d</"
            "string><double>0.1</double></entry>"
            "<entry><string>b</string><boolean>true</boolean></entry><entry><string>c</"
            "string><char>x</char></entry>"
            "<entry><string>r</string><byte-array>YQ==</byte-array></entry><entry><string>n</"
            "string><null/></entry>"
            "<entry><string></string><string> </string></entry></map>");
        CPPUNIT_ASSERT_MESSAGE(body.ok() ? "" : body.error().text, body.ok());
        Message message;
        message.bodyKind = BodyKind::map;
        message.body = Buffer::of(*body);
        CPPUNIT_ASSERT_EQUAL(
            R"({"name":{"type":"string","value":"A & ä <b>"},"i":{"type":"int","value":-31},)"
            R"("l":{"type":"long","value":9},"s":{"type":"short","value":2},"y":{"type":"byte","value":1},)"
            R"("f":{"type":"float","value":0.5},"d":{"type":"double","value":0.1},)"
            R"("b":{"type":"boolean","value":true},"c":{"type":"char","value":"\u0078"},)"
            R"("r":{"type":"bytes","value":"YQ=="},"n":{"type":"null","value":null},)"
            R"("":{"type":"string","value":" "}})"s,
            *jsonBody(message));
        CPPUNIT_ASSERT(stomp::mapBodyFromXml("<map/>").ok());
    }

    void namesWhatIsWrong() {
        const std::pair<std::string, const char*> rows[] = {
            {"", "XML"},
            {"<map>", "XML"},
            {"map", "XML"},
            {"<list/>", "<map>"},
            {"<map/><map/>", "<map>"},
            {"<map><a/></map>", "<entry>"},
            {"<map><entry/></map>", "<entry>"},
            {"<map><entry><int>1</int><int>1</int></entry></map>", "<entry>"},
            {entry(""), "<entry>"},
            {entry("<int>1</int><int>2</int>"), "<entry>"},
            {entry("<int>x</int>"), "entry 'a': 'x' is not a value of the type int"},
            {entry("<date>x</date>"), "<date> is no value"},
            {entry("<bytes>61</bytes>"), "<bytes> is no value"},
            {entry("<string><b/></string>"), "is no value"},
            {entry("<byte-array>a</byte-array>"), "base64"},
            {entry("<string>&#xd800;</string>"), "character reference"},
            {entry("<string>\xff</string>"), "UTF-8"}};
        for (const auto& [xml, expected] : rows) {
            const auto body = stomp::mapBodyFromXml(xml);
            CPPUNIT_ASSERT_MESSAGE(xml, !body);
            CPPUNIT_ASSERT_MESSAGE(xml + ": " + body.error().text,
                                   body.error().text.find(expected) != std::string::npos);
        }
    }

    void takesNothingHostile() {
        std::string tags = "<map>";
        for (std::size_t i = 0; i < 7 * kJsonValuesMax; ++i) tags += "<a>";
        std::string attributes = "<map ";
        while (attributes.size() < (5u << 20)) attributes += "a='' ";
        for (const std::string& xml : {"<!DOCTYPE map [<!ENTITY e 'x'>]><map/>"s,
                                       "<!DOCTYPE map SYSTEM 'file:///etc/passwd'><map/>"s,
                                       "<?php x?><map/>"s, tags, attributes}) {
            CPPUNIT_ASSERT_MESSAGE(xml.substr(0, 60), !stomp::mapBodyFromXml(xml));
        }
        // An entity that nobody has declared is its own name.
        const auto body = stomp::mapBodyFromXml(entry("<string>&e;</string>"));
        CPPUNIT_ASSERT(body.ok() && body->find("&e;") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MapXmlTest);
