// Selector::parse over arbitrary bytes; what it accepts must evaluate to the same answer twice,
// keep its equality key's promise, and parse to the same again.
#include "bus/base/check.h"
#include "bus/selector/selector.h"

#include <algorithm>
#include <cstdint>
#include <limits>

using namespace busbar;

namespace {

Message message() {
    Message m;
    m.id = "ID:1";
    m.type = "order";
    m.properties.set("a", std::string("abc"));
    m.properties.set("b", std::numeric_limits<std::int64_t>::min());
    m.properties.set("c", 2.5);
    m.properties.set("d", true);
    m.properties.set("e", std::string("5"));
    m.properties.set("f", Bytes{"x"});
    return m;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto selector = Selector::parse(text);
    if (!selector) {
        BUSBAR_CHECK(!selector.error().text.empty(), "a refusal without a reason");
        return 0;
    }
    const Message m = message();
    const bool matches = (*selector)->matches(m);
    const auto again = Selector::parse((*selector)->text());
    BUSBAR_CHECK(again.ok() && (*again)->matches(m) == matches, "a selector changed");
    const auto& key = (*selector)->equalityKey();
    if (!key || !matches) return 0;
    const auto value = key->of(m);
    BUSBAR_CHECK(value.has_value(), "a match without its key");
    BUSBAR_CHECK(std::any_of(key->values.begin(), key->values.end(),
                             [&](const IndexKey& k) { return k.view() == *value; }),
                 "a match outside of its key");
    return 0;
}
