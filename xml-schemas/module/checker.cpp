#include "xml-schemas/module/xerces_grammars.h"
#include "xml-schemas/module/xerces_text.h"

#include <xercesc/framework/MemBufInputSource.hpp>
#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax/SAXException.hpp>
#include <xercesc/sax/SAXParseException.hpp>
#include <xercesc/sax2/Attributes.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/util/OutOfMemoryException.hpp>
#include <xercesc/util/SecurityManager.hpp>
#include <xercesc/util/XMLEntityResolver.hpp>
#include <xercesc/util/XMLResourceIdentifier.hpp>
#include <xercesc/util/XMLUni.hpp>

#include <algorithm>
#include <mutex>

namespace busbar::xml {
namespace {

std::string place(std::uint64_t line, std::uint64_t column) {
    return "line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
}

/// Where a prolog holds "<!DOCTYPE", so that the refusal can say so; Xerces only says "invalid
/// structure".
std::size_t findDoctype(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const auto rest = bytes.substr(at);
        if (rest.front() == ' ' || rest.front() == '\t' || rest.front() == '\r' ||
            rest.front() == '\n') {
            ++at;
            continue;
        }
        if (rest.starts_with("<!DOCTYPE")) return at;
        const std::string_view end = rest.starts_with("<!--") ? "-->"
                                     : rest.starts_with("<?") ? "?>"
                                                              : "";
        const auto close = end.empty() ? rest.npos : rest.find(end);
        if (close == rest.npos) return bytes.npos;
        at += close + end.size();
    }
    return bytes.npos;
}

std::string placeOf(std::string_view bytes, std::size_t at) {
    const auto before = bytes.substr(0, at);
    std::uint64_t line = 1;
    for (const char c : before) line += c == '\n' ? 1 : 0;
    const auto start = before.rfind('\n');
    return place(line, at - (start == before.npos ? 0 : start + 1) + 1);
}

/// Xerces counts an element's attributes only when it has them all in memory, at fifty times what
/// they take in the text, and keeps that memory. So they are counted before, by their quotes.
/// Returns where the first element with more than `most` of them begins; npos where there is none.
std::size_t findCrowdedTag(std::string_view bytes, Encoding encoding, std::uint32_t most) {
    const std::size_t step = encoding == Encoding::utf8 ? 1 : 2;
    const std::size_t low = encoding == Encoding::utf16be ? 1 : 0;
    const std::size_t units = bytes.size() / step;
    const auto at = [&](std::size_t i) {
        if (i >= units) return '\0';
        if (step == 2 && bytes[i * 2 + 1 - low] != '\0') return '\x7f';  // no character of markup
        return bytes[i * step + low];
    };
    const auto starts = [&](std::size_t i, std::string_view text) {
        for (std::size_t k = 0; k < text.size(); ++k) {
            if (at(i + k) != text[k]) return false;
        }
        return true;
    };
    const auto behind = [&](std::size_t i, std::string_view end) {
        while (i < units && !starts(i, end)) ++i;
        return i;
    };
    for (std::size_t i = 0; i < units; ++i) {
        if (step == 1) i = std::min(bytes.find('<', i), units);
        if (at(i) != '<') continue;
        if (starts(i, "<!--")) {
            i = behind(i + 4, "-->");
        } else if (starts(i, "<![CDATA[")) {
            i = behind(i, "]]>");
        } else {
            const std::size_t begin = i;
            std::uint32_t quotes = 0;
            for (++i; i < units && at(i) != '>'; ++i) {
                const char quote = at(i);
                if (quote != '"' && quote != '\'') continue;
                if (++quotes > most) return begin * step;
                for (++i; i < units && at(i) != quote;) ++i;
            }
        }
    }
    return bytes.npos;
}

/// Follows one document: limits, the first error, and the tree where one is wanted.
class Follower final : public xercesc::DefaultHandler, public xercesc::XMLEntityResolver {
  public:
    explicit Follower(const Limits& limits) : limits_(limits) {}

    void begin(bool wantTree) {
        depth_ = 0;
        error_.reset();
        wantTree_ = wantTree;
        root_ = {};
        path_.clear();
    }
    const std::optional<Error>& firstError() const { return error_; }
    Element takeRoot() {
        return root_.children.empty() ? Element{} : std::move(root_.children.front());
    }

    void setDocumentLocator(const xercesc::Locator* locator) override { locator_ = locator; }

    void startElement(const XMLCh* uri, const XMLCh* local, const XMLCh*,
                      const xercesc::Attributes& attributes) override {
        if (++depth_ > limits_.depthMax) {
            stop(ErrorCode::tooLarge,
                 "elements are nested deeper than " + std::to_string(limits_.depthMax));
        }
        if (attributes.getLength() > limits_.attributesMax) {
            stop(ErrorCode::tooLarge, "an element has more than " +
                                          std::to_string(limits_.attributesMax) + " attributes");
        }
        if (wantTree_) open(uri, local, attributes);
    }
    void endElement(const XMLCh*, const XMLCh*, const XMLCh*) override {
        --depth_;
        if (wantTree_) path_.pop_back();
    }
    void characters(const XMLCh* text, XMLSize_t length) override {
        if (wantTree_ && !path_.empty()) path_.back()->text += toUtf8(text, length);
    }
    void processingInstruction(const XMLCh* target, const XMLCh*) override {
        stop(ErrorCode::malformed,
             "the processing instruction '" + toUtf8(target) + "' is not allowed");
    }

    void error(const xercesc::SAXParseException& e) override {
        if (error_) {  // the second one: what the parent of an unknown element would have allowed
            error_->text += "; " + toUtf8(e.getMessage());
            throw xercesc::SAXException();
        }
        const auto text = toUtf8(e.getMessage());
        fail(ErrorCode::malformed, place(e.getLineNumber(), e.getColumnNumber()) + text);
        // Of an unknown element Xerces says what was expected only at the end of its parent.
        if (!text.starts_with("no declaration found") || depth_ == 0) throw xercesc::SAXException();
    }
    void fatalError(const xercesc::SAXParseException& e) override { refuse(e); }

    using DefaultHandler::resolveEntity;
    xercesc::InputSource* resolveEntity(xercesc::XMLResourceIdentifier* wanted) override {
        stop(ErrorCode::malformed, "the document refers to '" + toUtf8(wanted->getSystemId()) +
                                       "': nothing outside the document is read");
    }

    /// Keeps the first error; parsing need not go on.
    void fail(ErrorCode code, std::string text) {
        if (!error_) error_ = Error{code, std::move(text)};
    }

  private:
    void open(const XMLCh* uri, const XMLCh* local, const xercesc::Attributes& attributes) {
        Element& parent = path_.empty() ? root_ : *path_.back();
        Element& element = parent.children.emplace_back();
        element.ns = toUtf8(uri);
        element.name = toUtf8(local);
        element.line = locator_ ? locator_->getLineNumber() : 0;
        element.column = locator_ ? locator_->getColumnNumber() : 0;
        for (XMLSize_t i = 0; i < attributes.getLength(); ++i) {
            if (*attributes.getURI(i) != 0) continue;
            const auto name = toUtf8(attributes.getLocalName(i));
            if (name == "xmlns") continue;
            element.attributes.emplace_back(name, toUtf8(attributes.getValue(i)));
        }
        path_.push_back(&element);
    }

    [[noreturn]] void stop(ErrorCode code, const std::string& text) {
        fail(code, locator_ ? place(locator_->getLineNumber(), locator_->getColumnNumber()) + text
                            : text);
        throw xercesc::SAXException();
    }
    [[noreturn]] void refuse(const xercesc::SAXParseException& e) {
        fail(ErrorCode::malformed,
             place(e.getLineNumber(), e.getColumnNumber()) + toUtf8(e.getMessage()));
        throw xercesc::SAXException();
    }

    const Limits& limits_;
    const xercesc::Locator* locator_ = nullptr;
    std::uint32_t depth_ = 0;
    std::optional<Error> error_;
    bool wantTree_ = false;
    Element root_;  // holds the document element
    std::vector<Element*>
        path_;  // open elements; each is the last child of the one before, so none moves
};

/// One reader with its handler: used by one thread at a time.
class Parser {
  public:
    Parser(xercesc::XMLGrammarPool* pool, const Limits& limits)
        : follower_(limits),
          reader_(std::make_unique<xercesc::SAX2XMLReaderImpl>(
              xercesc::XMLPlatformUtils::fgMemoryManager, pool)) {
        using xercesc::XMLUni;
        reader_->setFeature(XMLUni::fgSAX2CoreNameSpaces, true);
        reader_->setFeature(XMLUni::fgSAX2CoreNameSpacePrefixes,
                            true);  // so that xmlns counts as attribute
        reader_->setFeature(XMLUni::fgSAX2CoreValidation, true);
        reader_->setFeature(XMLUni::fgXercesDynamic, false);
        reader_->setFeature(XMLUni::fgXercesSchema, true);
        reader_->setFeature(XMLUni::fgXercesSchemaFullChecking, false);
        reader_->setFeature(XMLUni::fgXercesLoadSchema, false);
        reader_->setFeature(XMLUni::fgXercesUseCachedGrammarInParse, true);
        reader_->setFeature(XMLUni::fgXercesDisableDefaultEntityResolution, true);
        reader_->setFeature(XMLUni::fgXercesLoadExternalDTD, false);
        expansion_.setEntityExpansionLimit(100);
        reader_->setProperty(XMLUni::fgXercesSecurityManager, &expansion_);
        reader_->setContentHandler(&follower_);
        reader_->setErrorHandler(&follower_);
        reader_->setXMLEntityResolver(&follower_);
    }

    Result<void> parse(std::string_view bytes, Encoding encoding, bool wantTree) {
        follower_.begin(wantTree);
        try {
            feed(bytes, encoding);
        } catch (const xercesc::OutOfMemoryException&) {
            follower_.fail(ErrorCode::tooLarge, "out of memory while reading the document");
        } catch (const xercesc::XMLException& e) {
            follower_.fail(ErrorCode::malformed, place(e.getSrcLine(), 1) + toUtf8(e.getMessage()));
        } catch (const xercesc::SAXException& e) {
            follower_.fail(ErrorCode::malformed, toUtf8(e.getMessage()));
        }
        if (follower_.firstError()) return *follower_.firstError();
        return {};
    }

    Element takeRoot() { return follower_.takeRoot(); }

  private:
    void feed(std::string_view bytes, Encoding encoding) {
        const bool wide = encoding != Encoding::utf8;
        if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
        if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) bytes.remove_prefix(2);
        xercesc::MemBufInputSource source(reinterpret_cast<const XMLByte*>(bytes.data()),
                                          bytes.size(), "document", false);
        const XercesText name(!wide                           ? "UTF-8"
                              : encoding == Encoding::utf16le ? "UTF-16LE"
                                                              : "UTF-16BE");
        source.setEncoding(name.get());
        reader_->parse(source);
    }

    Follower follower_;
    xercesc::SecurityManager expansion_;
    std::unique_ptr<xercesc::SAX2XMLReaderImpl> reader_;
};

class XercesChecker final : public Checker {
  public:
    XercesChecker(std::shared_ptr<const Grammars> grammars, Limits limits)
        : grammars_(std::move(grammars)), limits_(limits) {}

    Result<void> check(std::string_view bytes, std::string_view charset, Element* tree) override {
        if (bytes.size() > limits_.bytesMax) {
            return {ErrorCode::tooLarge, "the document has " + std::to_string(bytes.size()) +
                                             " bytes, at most " + std::to_string(limits_.bytesMax) +
                                             " are allowed"};
        }
        const auto encoding = detectEncoding(bytes, charset);
        if (!encoding) return encoding.error();
        const auto skip = bytes.starts_with("\xEF\xBB\xBF") ? 3u : 0u;
        if (const auto at = findDoctype(bytes.substr(skip)); at != bytes.npos) {
            return {ErrorCode::malformed,
                    placeOf(bytes.substr(skip), at) + "a DOCTYPE is not allowed"};
        }
        if (const auto at = findCrowdedTag(bytes, *encoding, limits_.attributesMax);
            at != bytes.npos) {
            return {ErrorCode::tooLarge, (*encoding == Encoding::utf8 ? placeOf(bytes, at) : "") +
                                             "an element has more than " +
                                             std::to_string(limits_.attributesMax) + " attributes"};
        }
        auto parser = take();
        auto done = parser->parse(bytes, *encoding, tree != nullptr);
        if (done && tree != nullptr) *tree = parser->takeRoot();
        if (done)
            giveBack(
                std::move(parser));  // after an error a fresh one is safer than Xerces' clean-up
        return done;
    }

  private:
    std::unique_ptr<Parser> take() {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto parser = std::move(idle_.back());
                idle_.pop_back();
                return parser;
            }
        }
        return std::make_unique<Parser>(static_cast<const XercesGrammars&>(*grammars_).pool(),
                                        limits_);
    }
    void giveBack(std::unique_ptr<Parser> parser) {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(parser));
    }

    XercesRuntime runtime_;  // first: the parsers need it alive
    const std::shared_ptr<const Grammars> grammars_;
    const Limits limits_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Parser>> idle_;
};

}  // namespace

std::unique_ptr<Checker> makeChecker(std::shared_ptr<const Grammars> grammars, Limits limits) {
    return std::make_unique<XercesChecker>(std::move(grammars), limits);
}

}  // namespace busbar::xml
