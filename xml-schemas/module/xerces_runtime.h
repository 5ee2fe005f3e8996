// Xerces-C's life time.
#pragma once

namespace busbar::xml {

/// Keeps Xerces initialised. Everything in the module that needs it holds one. Sets
/// XERCES_DISABLE_DTD=1 first unless `main` did. Any thread; blocks for milliseconds where it is
/// the first.
class XercesRuntime {
  public:
    XercesRuntime();
    ~XercesRuntime();
    XercesRuntime(const XercesRuntime&) = delete;
    XercesRuntime& operator=(const XercesRuntime&) = delete;
};

}  // namespace busbar::xml
