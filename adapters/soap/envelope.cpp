#include "adapters/soap/envelope.h"

#include "adapters/soap/envelope_convert.h"
#include "adapters/soap/pugi_names.h"

#include <algorithm>
#include <optional>

namespace busbar::soap {
namespace {

/// Everything is kept but comments and processing instructions outside the root; a DOCTYPE is
/// ignored (and was refused by the validator before).
constexpr unsigned kParse = pugi::parse_default | pugi::parse_ws_pcdata | pugi::parse_comments;

std::optional<Version> versionOf(std::string_view ns) {
    if (ns == kEnvelope11) return Version::v11;
    if (ns == kEnvelope12) return Version::v12;
    return std::nullopt;
}

std::string envelopeAttribute(pugi::xml_node block, std::string_view ns, std::string_view local) {
    for (const auto attribute : block.attributes()) {
        const auto prefix = prefixPart(attribute.name());
        if (!prefix.empty() && localPart(attribute.name()) == local &&
            namespaceAt(block, prefix) == ns) {
            return attribute.value();
        }
    }
    return {};
}

constexpr std::size_t kStartTagMax = 16u << 10;

/// What stands before the root, and can be skipped without reading it: `begin` to `end`.
bool skip(std::string_view& text, std::string_view begin, std::string_view end) {
    if (!text.starts_with(begin)) return false;
    const auto at = text.find(end);
    text.remove_prefix(at == text.npos ? text.size() : at + end.size());
    return true;
}

/// The root's start tag as an element of its own; empty where there is none near.
std::string rootAlone(std::string_view text) {
    text = text.substr(0, kStartTagMax);
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    do {
        text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    } while (skip(text, "<?", "?>") || skip(text, "<!--", "-->"));
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote != '\0') {
            if (c == quote) quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            const std::size_t end = i > 0 && text[i - 1] == '/' ? i - 1 : i;
            return std::string(text.substr(0, end)) + "/>";
        }
    }
    return {};
}

Result<Version> versionOfRoot(pugi::xml_node root) {
    if (localPart(root.name()) != "Envelope") {
        return {ErrorCode::malformed,
                "expected a SOAP Envelope, found '" + toText(nameOf(root)) + "'"};
    }
    const auto version = versionOf(namespaceOf(root));
    if (!version) {
        return {ErrorCode::unsupported, "the envelope's namespace '" +
                                            std::string(namespaceOf(root)) +
                                            "' is of no SOAP version known here"};
    }
    return *version;
}

bool isTrue(std::string_view value) {
    return value == "1" || value == "true";
}

}  // namespace

class Envelope::Impl {
  public:
    pugi::xml_document document;
    Version version = Version::v11;
    std::string original;  ///< as it came; empty where it was changed or was not UTF-8

    std::string_view ns() const { return envelopeNamespace(version); }
    pugi::xml_node root() const { return document.document_element(); }
    pugi::xml_node header() const { return child(root(), ns(), "Header"); }
    pugi::xml_node body() const { return child(root(), ns(), "Body"); }
    pugi::xml_node payload() const { return firstElement(body()); }
    std::string role(pugi::xml_node block) const {
        return envelopeAttribute(block, ns(), version == Version::v11 ? "actor" : "role");
    }
    std::string addressing(std::string_view local) const {
        for (const auto addressingNs : {kAddressing, kAddressing2004}) {
            if (const auto block = child(header(), addressingNs, local)) return block.text().get();
        }
        return {};
    }
};

Envelope::Envelope(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Envelope::Envelope(Envelope&&) noexcept = default;
Envelope& Envelope::operator=(Envelope&&) noexcept = default;
Envelope::~Envelope() = default;

Result<Envelope> Envelope::parse(std::string_view bytes) {
    auto impl = std::make_unique<Impl>();
    const auto parsed = impl->document.load_buffer(bytes.data(), bytes.size(), kParse);
    if (!parsed) return {ErrorCode::malformed, std::string("not XML: ") + parsed.description()};
    const auto version = versionOfRoot(impl->root());
    if (!version) return version.error();
    impl->version = *version;
    if (!impl->body()) return {ErrorCode::malformed, "the envelope has no Body"};
    const bool utf8 = parsed.encoding == pugi::encoding_utf8;
    if (utf8) impl->original = std::string(bytes);
    return Envelope(std::move(impl));
}

Result<Version> Envelope::peekVersion(std::string_view bytes) {
    const std::string root = rootAlone(bytes);
    pugi::xml_document document;
    if (!document.load_buffer(root.data(), root.size(), kParse, pugi::encoding_utf8))
        return {ErrorCode::malformed, "not XML"};
    return versionOfRoot(document.document_element());
}

Result<Envelope> Envelope::wrap(std::string_view payload, Version version) {
    pugi::xml_document document;
    const auto parsed = document.load_buffer(payload.data(), payload.size(), kParse);
    if (!parsed) return {ErrorCode::malformed, std::string("not XML: ") + parsed.description()};
    const std::string ns(envelopeNamespace(version));
    return parse("<soap:Envelope xmlns:soap=\"" + ns + "\"><soap:Body>" +
                 serialize(document.document_element()) + "</soap:Body></soap:Envelope>");
}

Version Envelope::version() const {
    return impl_->version;
}

QName Envelope::payload() const {
    const auto node = impl_->payload();
    return node ? nameOf(node) : QName{};
}

bool Envelope::isFault() const {
    return is(impl_->payload(), impl_->ns(), "Fault");
}

bool Envelope::isSenderFault() const {
    if (!isFault()) return false;
    const auto fault = impl_->payload();
    const auto value = impl_->version == Version::v11
                           ? fault.child("faultcode")
                           : child(child(fault, kEnvelope12, "Code"), kEnvelope12, "Value");
    const auto code = localPart(value.text().get());
    return code.starts_with("Client") || code == "Sender";
}

std::string Envelope::messageId() const {
    return impl_->addressing("MessageID");
}
std::string Envelope::action() const {
    return impl_->addressing("Action");
}

std::vector<QName> Envelope::notUnderstood(std::span<const std::string> namespaces) const {
    std::vector<QName> out;
    for (const auto block : impl_->header().children()) {
        if (block.type() != pugi::node_element) continue;
        const auto role = impl_->role(block);
        const bool ours = role.empty() || role == kNext11 || role == kNext12 || role == kUltimate12;
        if (!ours || !isTrue(envelopeAttribute(block, impl_->ns(), "mustUnderstand"))) continue;
        const auto name = nameOf(block);
        const bool known =
            name.ns == kAddressing || name.ns == kAddressing2004 ||
            std::find(namespaces.begin(), namespaces.end(), name.ns) != namespaces.end();
        if (!known) out.push_back(name);
    }
    return out;
}

void Envelope::dropNextHeaders() {
    auto header = impl_->header();
    for (auto block = header.first_child(); block;) {
        const auto next = block.next_sibling();
        const bool element = block.type() == pugi::node_element;
        const auto role = element ? impl_->role(block) : std::string{};
        const bool relayed = element && isTrue(envelopeAttribute(block, impl_->ns(), "relay"));
        if ((role == kNext11 || role == kNext12) && !relayed) {
            header.remove_child(block);
            impl_->original.clear();
        }
        block = next;
    }
}

std::string Envelope::text(Version version) const {
    if (version == impl_->version && !impl_->original.empty()) return impl_->original;
    pugi::xml_document document;
    document.reset(impl_->document);
    convertEnvelope(document, impl_->version, version);
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + serialize(document.document_element());
}

}  // namespace busbar::soap
