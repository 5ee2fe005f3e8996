// XML as the bus uses it: schemas compiled once, documents checked against them, small documents
// read as trees.
//
// Problem: XML from strangers can name files and hosts to fetch, expand a line into gigabytes, or
// nest without end. So one place holds every switch. Whatever comes through here: no DOCTYPE
// (refused, so no entity but the five predefined ones), no processing instruction beside the XML
// declaration, no access to file or network ever (xsi:schemaLocation included), bounded bytes,
// depth and attributes. Nothing outside this folder includes Xerces-C, and the program does not
// link it: a module that holds it (busbar-xml.so) is loaded by the first SchemaSet.
#pragma once

#include "bus/base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::xml {

/// What a document may cost. Over a limit: tooLarge, with line and column where there is one.
struct Limits {
    std::uint64_t bytesMax = 16u << 20;
    std::uint32_t depthMax = 128;
    std::uint32_t attributesMax = 256;  ///< of one element, namespace declarations included
};

/// How a document's bytes are to be read. Only these are accepted.
enum class Encoding { utf8, utf16le, utf16be };

/// Tells the encoding from the byte order mark, the charset of the Content-Type (may be empty) and
/// the XML declaration, in that order of trust (RFC 7303, section 3). malformed where they
/// contradict each other or name another encoding than UTF-8, US-ASCII or UTF-16.
Result<Encoding> detectEncoding(std::string_view bytes, std::string_view charset);

/// A schema document: `name` is what schemaLocation names it by, after resolving against the
/// including document's.
struct Source {
    std::string name;
    std::string text;
};

/// A schema file that is part of the program: "busbar.xsd", "soap11-envelope.xsd", ...; nothing
/// where unknown.
std::optional<std::string_view> schemaText(std::string_view name);

/// "dir/a.xsd" and "../types/b.xsd" give "types/b.xsd". An absolute location (a URL, or from '/')
/// stays as it is.
std::string resolveLocation(std::string_view base, std::string_view location);

class Grammars;
class Checker;

/// Compiled schemas: shared, immutable, any thread.
class SchemaSet {
  public:
    /// Compiles all of `sources`. Documents of one namespace are joined; xs:import finds its
    /// namespace in the set with or without schemaLocation, xs:include finds its document by name;
    /// the xml: namespace is built in. malformed with document, line, column and reason where a
    /// schema is wrong or something is missing; unavailable where the module cannot be loaded.
    /// Takes milliseconds for each; blocks on nothing but, the first time, on the module's file.
    static Result<std::shared_ptr<const SchemaSet>> build(std::vector<Source> sources);

    ~SchemaSet();
    SchemaSet(const SchemaSet&) = delete;
    SchemaSet& operator=(const SchemaSet&) = delete;

  private:
    friend class Validator;
    explicit SchemaSet(std::shared_ptr<const Grammars> grammars);
    std::shared_ptr<const Grammars> grammars_;
};

/// An element of a small document that was read whole (configuration files). Attributes that the
/// schema gives defaults for are there with their defaults.
struct Element {
    std::string ns;
    std::string name;
    std::vector<std::pair<std::string, std::string>> attributes;  ///< without namespace
    std::vector<Element> children;
    std::string text;  ///< all character data directly below it
    std::uint64_t line = 0;
    std::uint64_t column = 0;

    const std::string* find(std::string_view attribute) const;
};

/// Checks documents against a set of schemas. The root element must be declared there. Any thread:
/// parsers are kept and reused, one for each thread that is inside at a time (a new one costs as
/// much as checking a document).
class Validator {
  public:
    Validator(const std::shared_ptr<const SchemaSet>& schemas, Limits limits);
    ~Validator();
    Validator(const Validator&) = delete;
    Validator& operator=(const Validator&) = delete;

    /// Ok, or the first error: malformed with "line 3, column 17: ..." and what was expected, in
    /// the lines of `bytes`; tooLarge for the limits. `charset` is the Content-Type's, may be
    /// empty.
    Result<void> validate(std::string_view bytes, std::string_view charset = {}) const;

    /// Checks and reads a document. The tree takes several times the document's memory.
    Result<Element> read(std::string_view bytes) const;

  private:
    std::unique_ptr<Checker> checker_;
};

}  // namespace busbar::xml
