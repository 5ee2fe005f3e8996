// What grammars.cpp makes and checker.cpp uses.
#pragma once

#include "xml-schemas/engine.h"
#include "xml-schemas/module/xerces_runtime.h"

#include <xercesc/framework/XMLGrammarPoolImpl.hpp>

namespace busbar::xml {

class XercesGrammars final : public Grammars {
  public:
    XercesGrammars() : pool_(xercesc::XMLPlatformUtils::fgMemoryManager) {}
    /// Locked, so shared: Xerces only wants it without const.
    xercesc::XMLGrammarPool* pool() const { return &pool_; }

  private:
    XercesRuntime runtime_;  // first: the pool needs it alive
    mutable xercesc::XMLGrammarPoolImpl pool_;
};

Result<std::shared_ptr<const Grammars>> compileGrammars(std::vector<Source> sources);
std::unique_ptr<Checker> makeChecker(std::shared_ptr<const Grammars> grammars, Limits limits);

}  // namespace busbar::xml
