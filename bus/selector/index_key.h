// Values as keys of an index: what selectors and messages meet by, without evaluating.
#pragma once

#include "bus/message/message.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar {

/// A value that can be looked up; borrows its text. Values that `=` finds equal have equal keys:
/// 1, 1L, 1.0 and 1.0F are one key, '1' is another, TRUE a third. Numbers are keyed as doubles, so
/// different longs above 2^53 may share a key: a key finds candidates, the selector decides.
struct IndexKeyView {
    enum class Kind : unsigned char { boolean, number, text };
    Kind kind = Kind::boolean;
    double number = 0;  ///< 0 or 1 for a boolean; never NaN or -0
    std::string_view text;

    bool operator==(const IndexKeyView&) const = default;
};

/// The same, owning its text.
struct IndexKey {
    IndexKeyView::Kind kind = IndexKeyView::Kind::boolean;
    double number = 0;
    std::string text;

    IndexKey() = default;
    explicit IndexKey(const IndexKeyView& v) : kind(v.kind), number(v.number), text(v.text) {}
    explicit IndexKey(bool value) : number(value ? 1 : 0) {}
    explicit IndexKey(double value)
        : kind(IndexKeyView::Kind::number), number(value == 0 ? 0 : value) {}
    explicit IndexKey(std::string value) : kind(IndexKeyView::Kind::text), text(std::move(value)) {}

    IndexKeyView view() const { return {kind, number, text}; }
    bool operator==(const IndexKey&) const = default;
};

/// Hashes and compares both, so that a look-up with a view copies nothing. Not noexcept: libstdc++
/// then keeps the hash beside the key instead of computing it again.
struct IndexKeyHash {
    using is_transparent = void;
    std::size_t operator()(const IndexKeyView& key) const {
        const std::size_t hash = key.kind == IndexKeyView::Kind::text
                                     ? std::hash<std::string_view>{}(key.text)
                                     : std::hash<double>{}(key.number);
        return hash + static_cast<std::size_t>(key.kind);
    }
    std::size_t operator()(const IndexKey& key) const { return (*this)(key.view()); }
};
struct IndexKeyEqual {
    using is_transparent = void;
    static IndexKeyView view(const IndexKeyView& key) { return key; }
    static IndexKeyView view(const IndexKey& key) { return key.view(); }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
        return view(a) == view(b);
    }
};

/// How strings are keyed. `converted` goes with `convert_string_expressions:`: a string that reads
/// as a number or as true/false has that value's key.
enum class StringKeys : unsigned char { asTheyAre, converted };

/// The key of a property, or of a header by its JMS name, of this message; nothing where the
/// message has none or a value that equals no literal (NaN, bytes). The view borrows from the
/// message.
std::optional<IndexKeyView> indexKeyView(const Message& message, std::string_view property,
                                         StringKeys strings = StringKeys::asTheyAre);
std::optional<IndexKey> indexKey(const Message& message, std::string_view property,
                                 StringKeys strings = StringKeys::asTheyAre);

/// "Each message that matches has one of these keys under `property`." An index over messages or
/// selectors is one index a (property, strings) pair.
struct EqualityKey {
    std::string property;  ///< or header, by its JMS name
    StringKeys strings = StringKeys::asTheyAre;
    std::vector<IndexKey> values;  ///< at least one, each once

    /// The message's key under `property`, to be looked up among `values`.
    std::optional<IndexKeyView> of(const Message& message) const {
        return indexKeyView(message, property, strings);
    }
};

}  // namespace busbar
