#include "adapters/soap/wsdl.h"

#include "adapters/soap/pugi_names.h"
#include "adapters/soap/wsdl_parts.h"

#include <deque>
#include <fstream>
#include <iterator>

namespace busbar::soap {
namespace {

constexpr std::uint64_t kFileBytesMax = 16u << 20;

bool isRemote(std::string_view location) {
    return location.find("://") != location.npos;
}

bool isSchemaReference(pugi::xml_node node) {
    return is(node, kXmlSchema, "import") || is(node, kXmlSchema, "include") ||
           is(node, kXmlSchema, "redefine");
}

/// A schema of the types section as a document of its own: declarations of its ancestors come
/// along.
std::string standalone(pugi::xml_node schema) {
    pugi::xml_document document;
    auto copy = document.append_copy(schema);
    for (auto node = schema.parent(); node; node = node.parent()) {
        for (const auto attribute : node.attributes()) {
            const bool declaration = std::string_view(attribute.name()).starts_with("xmlns");
            if (declaration && !copy.attribute(attribute.name())) copy.append_copy(attribute);
        }
    }
    return serialize(copy);
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
    return text;
}

}  // namespace

/// Reads files until nothing new is named.
class WsdlLoader {
  public:
    Result<std::shared_ptr<const Wsdl>> load(const std::string& path) {
        if (auto read = readWsdl(path); !read) return read.error();
        for (std::size_t i = 0; i < files_.xsds.size(); ++i) {
            if (auto followed =
                    follow(files_.xsds[i]->document.document_element(), files_.xsds[i]->path);
                !followed) {
                return followed.error();
            }
        }
        auto operations = readOperations(files_);
        if (!operations) return {operations.error().code, path + ": " + operations.error().text};
        auto wsdl = std::make_shared<Wsdl>();
        wsdl->operations_ = std::move(*operations);
        for (const auto& file : files_.xsds)
            schemas_.push_back({file->path, serialize(file->document)});
        wsdl->schemas_ = std::move(schemas_);
        for (const auto& file : files_.wsdls) {
            const auto service = child(file->document.document_element(), kWsdl, "service");
            if (wsdl->serviceName_.empty()) wsdl->serviceName_ = service.attribute("name").value();
        }
        rewriteForClients(files_);
        for (const auto& file : files_.wsdls) wsdl->wsdlTexts_.push_back(serialize(file->document));
        for (const auto& file : files_.xsds) wsdl->xsdTexts_.push_back(serialize(file->document));
        return std::shared_ptr<const Wsdl>(std::move(wsdl));
    }

  private:
    static Result<std::unique_ptr<WsdlFile>> readFile(const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        if (!in) return {ErrorCode::notFound, path + ": cannot be read"};
        std::string bytes{std::istreambuf_iterator<char>(in), {}};
        if (bytes.size() > kFileBytesMax) return {ErrorCode::tooLarge, path + ": more than 16 MiB"};
        auto file = std::make_unique<WsdlFile>();
        file->path = path;
        const auto parsed = file->document.load_buffer(
            bytes.data(), bytes.size(),
            pugi::parse_default | pugi::parse_ws_pcdata | pugi::parse_comments);
        if (!parsed) {
            return {ErrorCode::malformed,
                    path + ": byte " + std::to_string(parsed.offset) + ": " + parsed.description()};
        }
        return file;
    }

    Result<void> readWsdl(const std::string& path) {
        if (files_.wsdlNumbers.contains(path)) return {};
        auto file = readFile(path);
        if (!file) return file.error();
        const auto root = (*file)->document.document_element();
        if (!is(root, kWsdl, "definitions")) {
            return {ErrorCode::malformed,
                    path + ": expected WSDL 1.1 definitions, found '" + toText(nameOf(root)) + "'"};
        }
        files_.wsdlNumbers[path] = files_.wsdls.size();
        files_.wsdls.push_back(std::move(*file));
        for (const auto node : root.children()) {
            if (is(node, kWsdl, "types")) {
                if (auto read = readTypes(node, path); !read) return read;
            }
            const std::string location = node.attribute("location").value();
            if (!is(node, kWsdl, "import") || location.empty() || isRemote(location)) continue;
            if (auto read = readImported(xml::resolveLocation(path, location)); !read) return read;
        }
        return {};
    }

    /// wsdl:import may name an XSD as well (WS-I forbids it, people do it).
    Result<void> readImported(const std::string& path) {
        if (path.ends_with(".xsd")) return readXsd(path);
        return readWsdl(path);
    }

    Result<void> readTypes(pugi::xml_node types, const std::string& path) {
        for (const auto schema : types.children()) {
            if (!is(schema, kXmlSchema, "schema")) continue;
            schemas_.push_back({path + "#" + std::to_string(schemas_.size()), standalone(schema)});
            if (auto followed = follow(schema, path); !followed) return followed;
        }
        return {};
    }

    Result<void> follow(pugi::xml_node schema, const std::string& base) {
        for (const auto node : schema.children()) {
            const std::string location = node.attribute("schemaLocation").value();
            if (!isSchemaReference(node) || location.empty() || isRemote(location)) continue;
            if (auto read = readXsd(xml::resolveLocation(base, location)); !read) return read;
        }
        return {};
    }

    Result<void> readXsd(const std::string& path) {
        if (files_.xsdNumbers.contains(path)) return {};
        auto file = readFile(path);
        if (!file) return file.error();
        files_.xsdNumbers[path] = files_.xsds.size();
        files_.xsds.push_back(std::move(*file));
        return {};
    }

    WsdlFiles files_;
    std::vector<xml::Source> schemas_;
};

Result<std::shared_ptr<const Wsdl>> Wsdl::load(const std::string& path) {
    return WsdlLoader().load(path);
}

const Operation* Wsdl::find(const QName& payload, std::string_view action) const {
    for (const auto& operation : operations_) {
        if (operation.input != payload) continue;
        if (!payload.empty() || action.empty() || operation.action == action) return &operation;
    }
    return nullptr;
}

std::optional<std::string> Wsdl::wsdlText(std::size_t number, std::string_view address) const {
    if (number >= wsdlTexts_.size()) return std::nullopt;
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
           replaced(wsdlTexts_[number], kAddressPlaceholder, address);
}

std::optional<std::string> Wsdl::xsdText(std::size_t number, std::string_view address) const {
    if (number >= xsdTexts_.size()) return std::nullopt;
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
           replaced(xsdTexts_[number], kAddressPlaceholder, address);
}

}  // namespace busbar::soap
