#include "xml-schemas/xml.h"

#include "xml-schemas/engine.h"

namespace busbar::xml {

const std::string* Element::find(std::string_view attribute) const {
    for (const auto& [key, value] : attributes) {
        if (key == attribute) return &value;
    }
    return nullptr;
}

SchemaSet::SchemaSet(std::shared_ptr<const Grammars> grammars) : grammars_(std::move(grammars)) {}
SchemaSet::~SchemaSet() = default;

Result<std::shared_ptr<const SchemaSet>> SchemaSet::build(std::vector<Source> sources) {
    const auto loaded = engine();
    if (!loaded) return loaded.error();
    auto grammars = (*loaded)->compile(std::move(sources));
    if (!grammars) return grammars.error();
    return std::shared_ptr<const SchemaSet>(new SchemaSet(std::move(*grammars)));
}

Validator::Validator(const std::shared_ptr<const SchemaSet>& schemas, Limits limits)
    : checker_((*engine())->checker(schemas->grammars_, limits)) {}
Validator::~Validator() = default;

Result<void> Validator::validate(std::string_view bytes, std::string_view charset) const {
    return checker_->check(bytes, charset, nullptr);
}

Result<Element> Validator::read(std::string_view bytes) const {
    Element root;
    if (auto done = checker_->check(bytes, {}, &root); !done) return done.error();
    return root;
}

}  // namespace busbar::xml
