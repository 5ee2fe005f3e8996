// What xml.h needs Xerces-C for, as an interface: implemented by a module of its own,
// busbar-xml.so, that is loaded by the first use.
//
// Problem: Debian's Xerces-C brings thirty libraries with it (ICU, curl, GnuTLS, Kerberos, LDAP),
// 6 MiB of memory in a process that may never see a document. Private to this folder.
#pragma once

#include "xml-schemas/xml.h"

namespace busbar::xml {

/// Compiled schemas. Immutable; any thread.
class Grammars {
  public:
    virtual ~Grammars() = default;
};

/// Documents against one set of schemas. Any thread.
class Checker {
  public:
    virtual ~Checker() = default;
    /// As Validator::validate; `tree` is filled where it is not null and the document is fine.
    virtual Result<void> check(std::string_view bytes, std::string_view charset, Element* tree) = 0;
};

class Engine {
  public:
    virtual ~Engine() = default;
    /// As SchemaSet::build.
    virtual Result<std::shared_ptr<const Grammars>> compile(std::vector<Source> sources) = 0;
    /// `grammars` are of this engine.
    virtual std::unique_ptr<Checker> checker(std::shared_ptr<const Grammars> grammars,
                                             Limits limits) = 0;
};

/// The engine, loaded by the first call and kept. `unavailable` with the file and the reason where
/// that fails: later calls try again. Any thread; the first blocks for some 30 ms.
Result<Engine*> engine();

/// What the module exports: its engine, which lives as long as the process, and the version of the
/// program that it was built for.
inline constexpr const char* kEngineSymbol = "busbarXmlEngine";
inline constexpr const char* kVersionSymbol = "busbarXmlVersion";

}  // namespace busbar::xml
