// How a set is compiled: Xerces keeps one grammar for each namespace and loads a namespace once,
// but a WSDL may hold several schemas of one namespace and imports without a location. So each
// namespace gets a small schema of ours that includes all its documents ("ns/N"), one schema
// imports all of those ("all"), and that one is loaded.
#include "bus/base/xml_text.h"
#include "xml-schemas/module/xerces_grammars.h"
#include "xml-schemas/module/xerces_text.h"

#include <pugixml.hpp>
#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax/SAXException.hpp>
#include <xercesc/sax/SAXParseException.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/util/OutOfMemoryException.hpp>
#include <xercesc/util/XMLEntityResolver.hpp>
#include <xercesc/util/XMLResourceIdentifier.hpp>
#include <xercesc/util/XMLUni.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace busbar::xml {
namespace {

constexpr std::string_view kXsd = "http://www.w3.org/2001/XMLSchema";
constexpr std::string_view kXmlNamespace = "http://www.w3.org/XML/1998/namespace";
constexpr std::string_view kPrefix =
    "file:///busbar/";  // Xerces wants URLs; nothing ever opens them

std::string localName(std::string_view qualified) {
    const auto colon = qualified.find(':');
    return std::string(colon == qualified.npos ? qualified : qualified.substr(colon + 1));
}

/// Finds documents by what schemas call them. Document N has the id "file:///busbar/N".
class Catalogue {
  public:
    Result<void> add(std::vector<Source> sources) {
        sources_ = std::move(sources);
        std::set<std::size_t> included;
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            if (auto read = readHead(i, included); !read) return read.error();
        }
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            if (!included.contains(i)) namespaces_[targets_[i]].push_back(i);
        }
        if (!namespaces_.contains(std::string(kXmlNamespace))) {
            namespaces_[std::string(kXmlNamespace)].push_back(sources_.size());
            sources_.push_back({"xml.xsd", std::string(schemaText("xml.xsd").value())});
        }
        return {};
    }

    /// The schema that imports every namespace of the set.
    std::string everything() const {
        std::string text = head("urn:busbar:all");
        std::size_t number = 0;
        for (const auto& [ns, documents] : namespaces_) {
            text += "<xs:import ";
            if (!ns.empty()) text += "namespace=\"" + xmlAttribute(ns) + "\" ";
            text += "schemaLocation=\"" + std::string(kPrefix) + "ns/" + std::to_string(number++) +
                    "\"/>";
        }
        return text + "</xs:schema>";
    }

    struct Found {
        std::string id;
        std::string text;
    };

    /// The documents of a namespace as one; nothing where the set has none.
    std::optional<Found> byNamespace(const std::string& ns) const {
        const auto at = namespaces_.find(ns);
        if (at == namespaces_.end()) return std::nullopt;
        std::string text = head(ns);
        for (const auto document : at->second) {
            text += "<xs:include schemaLocation=\"" + std::string(kPrefix) +
                    std::to_string(document) + "\"/>";
        }
        const auto number = std::distance(namespaces_.begin(), at);
        return Found{std::string(kPrefix) + "ns/" + std::to_string(number), text + "</xs:schema>"};
    }

    /// The document that `location` means inside the document with the id `base`.
    std::optional<Found> byLocation(std::string_view base, std::string_view location) const {
        auto index = indexOf(location);
        if (!index) {
            const auto from = indexOf(base);
            const auto name =
                resolveLocation(from ? sources_[*from].name : std::string{}, location);
            index = indexOfName(name);
        }
        if (!index) return std::nullopt;
        return Found{std::string(kPrefix) + std::to_string(*index), sources_[*index].text};
    }

    /// What a person calls the document with this id.
    std::string nameOf(std::string_view id) const {
        const auto index = indexOf(id);
        return index ? sources_[*index].name : "schema set";
    }

  private:
    static std::string head(std::string_view ns) {
        std::string text = "<xs:schema xmlns:xs=\"" + std::string(kXsd) + "\"";
        if (!ns.empty()) text += " targetNamespace=\"" + xmlAttribute(ns) + "\"";
        return text + ">";
    }

    Result<void> readHead(std::size_t index, std::set<std::size_t>& included) {
        pugi::xml_document document;
        const auto& source = sources_[index];
        const auto parsed = document.load_buffer(source.text.data(), source.text.size());
        const auto root = document.document_element();
        if (!parsed || localName(root.name()) != "schema") {
            return {ErrorCode::malformed,
                    source.name + ": not an XML Schema document: " +
                        (parsed ? std::string("the root element is ") + root.name()
                                : std::string(parsed.description()))};
        }
        targets_.push_back(root.attribute("targetNamespace").value());
        for (const auto child : root.children()) {
            const auto kind = localName(child.name());
            if (kind != "include" && kind != "redefine") continue;
            const auto name =
                resolveLocation(source.name, child.attribute("schemaLocation").value());
            if (const auto at = indexOfName(name)) included.insert(*at);
        }
        return {};
    }

    std::optional<std::size_t> indexOfName(std::string_view name) const {
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            if (sources_[i].name == name) return i;
        }
        return std::nullopt;
    }

    std::optional<std::size_t> indexOf(std::string_view id) const {
        if (!id.starts_with(kPrefix)) return std::nullopt;
        id.remove_prefix(kPrefix.size());
        std::size_t number = 0;
        for (const char c : id) {
            if (c < '0' || c > '9') return std::nullopt;
            number = number * 10 + static_cast<std::size_t>(c - '0');
        }
        if (id.empty() || number >= sources_.size()) return std::nullopt;
        return number;
    }

    std::vector<Source> sources_;
    std::vector<std::string> targets_;
    std::map<std::string, std::vector<std::size_t>> namespaces_;
};

/// Gives Xerces the documents of the catalogue and keeps the first error.
class Loader final : public xercesc::DefaultHandler, public xercesc::XMLEntityResolver {
  public:
    explicit Loader(const Catalogue& catalogue) : catalogue_(catalogue) {}

    using DefaultHandler::resolveEntity;
    xercesc::InputSource* resolveEntity(xercesc::XMLResourceIdentifier* wanted) override {
        const auto base = toUtf8(wanted->getBaseURI());
        const auto location = toUtf8(wanted->getSchemaLocation());
        const bool import =
            wanted->getResourceIdentifierType() == xercesc::XMLResourceIdentifier::SchemaImport;
        const auto found = import ? catalogue_.byNamespace(toUtf8(wanted->getNameSpace()))
                                  : catalogue_.byLocation(base, location);
        if (found) return source(*found);
        // An import without a document is fine as long as nothing of its namespace is used.
        if (!import)
            fail(catalogue_.nameOf(base) + ": there is no document '" + location + "' to include");
        return source({"file:///busbar/none",
                       "<xs:schema xmlns:xs=\"" + std::string(kXsd) + "\"" +
                           targetOf(import ? toUtf8(wanted->getNameSpace()) : "") + "/>"});
    }

    static xercesc::InputSource* source(const Catalogue::Found& document) {
        const XercesText id(document.id);
        auto* copy = new char[document.text.size()];
        std::copy(document.text.begin(), document.text.end(), copy);
        return new xercesc::MemBufInputSource(reinterpret_cast<XMLByte*>(copy),
                                              document.text.size(), id.get(), true);
    }

    void error(const xercesc::SAXParseException& e) override { report(e); }
    void fatalError(const xercesc::SAXParseException& e) override { report(e); }

    const std::optional<Error>& firstError() const { return error_; }
    void fail(std::string text) {
        if (!error_) error_ = Error{ErrorCode::malformed, std::move(text)};
    }

  private:
    static std::string targetOf(const std::string& ns) {
        return ns.empty() ? std::string{} : " targetNamespace=\"" + xmlAttribute(ns) + "\"";
    }
    void report(const xercesc::SAXParseException& e) {
        fail(catalogue_.nameOf(toUtf8(e.getSystemId())) + ": line " +
             std::to_string(e.getLineNumber()) + ", column " + std::to_string(e.getColumnNumber()) +
             ": " + toUtf8(e.getMessage()));
    }

    const Catalogue& catalogue_;
    std::optional<Error> error_;
};

void load(xercesc::XMLGrammarPool* pool, const Catalogue& catalogue, Loader& loader) {
    using xercesc::XMLUni;
    const auto reader = std::make_unique<xercesc::SAX2XMLReaderImpl>(
        xercesc::XMLPlatformUtils::fgMemoryManager, pool);
    reader->setFeature(XMLUni::fgSAX2CoreNameSpaces, true);
    reader->setFeature(XMLUni::fgSAX2CoreValidation, true);
    reader->setFeature(XMLUni::fgXercesSchema, true);
    reader->setFeature(XMLUni::fgXercesHandleMultipleImports, true);
    reader->setFeature(XMLUni::fgXercesDisableDefaultEntityResolution, true);
    reader->setFeature(XMLUni::fgXercesLoadExternalDTD, false);
    reader->setErrorHandler(&loader);
    reader->setXMLEntityResolver(&loader);
    const std::unique_ptr<xercesc::InputSource> all(
        Loader::source({std::string(kPrefix) + "all", catalogue.everything()}));
    reader->loadGrammar(*all, xercesc::Grammar::SchemaGrammarType, true);
}

}  // namespace

Result<std::shared_ptr<const Grammars>> compileGrammars(std::vector<Source> sources) {
    const XercesRuntime runtime;
    Catalogue catalogue;
    if (auto added = catalogue.add(std::move(sources)); !added) return added.error();
    auto grammars = std::make_shared<XercesGrammars>();
    Loader loader(catalogue);
    try {
        load(grammars->pool(), catalogue, loader);
        if (!loader.firstError()) grammars->pool()->lockPool();
    } catch (const xercesc::OutOfMemoryException&) {
        loader.fail("out of memory while compiling schemas");
    } catch (const xercesc::XMLException& e) {
        loader.fail("schema set: " + toUtf8(e.getMessage()));
    } catch (const xercesc::SAXException& e) {
        loader.fail("schema set: " + toUtf8(e.getMessage()));
    }
    if (loader.firstError()) return *loader.firstError();
    return std::shared_ptr<const Grammars>(std::move(grammars));
}

}  // namespace busbar::xml
