#include "bus/selector/index_key.h"

#include "bus/selector/field.h"

#include <cmath>

namespace busbar {
namespace {

using selector::Kind;
using selector::Operand;
using selector::Source;

using View = IndexKeyView;

Operand read(const Message& message, std::string_view name) {
    const Source source = selector::sourceOf(name);
    return source == Source::property ? selector::readProperty(message, name)
                                      : selector::readHeader(message, source);
}

/// A string as the number or boolean that it reads as.
Operand converted(const Operand& text) {
    const Operand number = selector::readNumber(text.text());
    if (number.isNumber()) return number;
    const Operand boolean = selector::readBoolean(text.text());
    return boolean.kind == Kind::boolean ? boolean : text;
}

}  // namespace

std::optional<IndexKeyView> indexKeyView(const Message& message, std::string_view property,
                                         StringKeys strings) {
    Operand value = read(message, property);
    if (value.kind == Kind::text && strings == StringKeys::converted) value = converted(value);
    if (value.kind == Kind::text) return View{View::Kind::text, 0, value.text()};
    if (value.kind == Kind::boolean)
        return View{View::Kind::boolean, value.boolean ? 1.0 : 0.0, {}};
    if (!value.isNumber() || std::isnan(value.asDouble())) return std::nullopt;
    const double number = value.asDouble();
    return View{View::Kind::number, number == 0 ? 0 : number, {}};
}

std::optional<IndexKey> indexKey(const Message& message, std::string_view property,
                                 StringKeys strings) {
    const auto view = indexKeyView(message, property, strings);
    return view ? std::optional(IndexKey(*view)) : std::nullopt;
}

}  // namespace busbar
