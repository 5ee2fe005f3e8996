// Private to this folder: what schema_set.cpp makes and validator.cpp uses.
#pragma once

#include "xml-schemas/xml.h"

#include <xercesc/framework/XMLGrammarPoolImpl.hpp>

namespace busbar::xml {

class SchemaSet::Impl {
  public:
    Impl() : pool_(xercesc::XMLPlatformUtils::fgMemoryManager) {}
    xercesc::XMLGrammarPool* pool() { return &pool_; }

  private:
    XmlRuntime runtime_;  // first: the pool needs it alive
    xercesc::XMLGrammarPoolImpl pool_;
};

}  // namespace busbar::xml
