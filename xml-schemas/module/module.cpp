// The module's two exports (engine.h).
#include "xml-schemas/module/xerces_grammars.h"

namespace busbar::xml {
namespace {

class XercesEngine final : public Engine {
  public:
    Result<std::shared_ptr<const Grammars>> compile(std::vector<Source> sources) override {
        return compileGrammars(std::move(sources));
    }
    std::unique_ptr<Checker> checker(std::shared_ptr<const Grammars> grammars,
                                     Limits limits) override {
        return makeChecker(std::move(grammars), limits);
    }
};

}  // namespace
}  // namespace busbar::xml

extern "C" __attribute__((visibility("default"))) const char* busbarXmlVersion() {
    return BUSBAR_VERSION;
}

extern "C" __attribute__((visibility("default"))) busbar::xml::Engine* busbarXmlEngine() {
    static busbar::xml::XercesEngine engine;
    return &engine;
}
