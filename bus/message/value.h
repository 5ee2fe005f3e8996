// The typed values that message properties and map bodies hold: JMS's types, each kept as it came.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace busbar {

/// A byte array, told apart from text.
struct Bytes {
    std::string data;
    bool operator==(const Bytes&) const = default;
};

/// JMS 2.0 section 3.5.4 plus null and byte arrays (map bodies, AMQP, OpenWire). The order of the
/// alternatives is part of the journal format (docs/formats/journal.md): append, never reorder.
using Value = std::variant<std::monostate, bool, std::int8_t, std::int16_t, std::int32_t,
                           std::int64_t, float, double, std::string, Bytes, char16_t>;

/// The value as text, as JMS's getStringProperty would give it: "true", "42", "1.5"; null as "",
/// bytes as hex.
std::string toText(const Value& value);

/// Name-value pairs in the order in which they were set. Messages have few, so look-up is a linear
/// search.
class Properties {
  public:
    using Entry = std::pair<std::string, Value>;

    /// The value of `name`, or nullptr.
    const Value* find(std::string_view name) const;
    /// Sets or replaces.
    void set(std::string_view name, Value value);
    /// Appends without looking for an earlier entry of that name; the caller knows that there is
    /// none.
    void append(std::string name, Value value) {
        entries_.emplace_back(std::move(name), std::move(value));
    }
    /// Returns true where there was one.
    bool erase(std::string_view name);

    bool empty() const { return entries_.empty(); }
    std::size_t size() const { return entries_.size(); }
    auto begin() const { return entries_.begin(); }
    auto end() const { return entries_.end(); }
    bool operator==(const Properties&) const = default;

  private:
    std::vector<Entry> entries_;
};

}  // namespace busbar
