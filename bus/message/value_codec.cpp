#include "bus/message/value_codec.h"

#include <type_traits>

namespace busbar {

void putValue(std::string& out, const Value& value) {
    out += static_cast<char>(value.index());
    std::visit(
        [&](const auto& v) {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, std::string>)
                putString(out, v);
            else if constexpr (std::is_same_v<T, Bytes>)
                putString(out, v.data);
            else if constexpr (!std::is_same_v<T, std::monostate>)
                putFixed(out, v);
        },
        value);
}

bool readValue(WireReader& in, std::uint8_t kind, Value& value) {
    switch (kind) {
        case 0:
            value = std::monostate{};
            return true;
        case 1:
            value = in.fixed<std::uint8_t>() != 0;
            return true;
        case 2:
            value = in.fixed<std::int8_t>();
            return true;
        case 3:
            value = in.fixed<std::int16_t>();
            return true;
        case 4:
            value = in.fixed<std::int32_t>();
            return true;
        case 5:
            value = in.fixed<std::int64_t>();
            return true;
        case 6:
            value = in.fixed<float>();
            return true;
        case 7:
            value = in.fixed<double>();
            return true;
        case 8:
            value = std::string(in.string());
            return true;
        case 9:
            value = Bytes{std::string(in.string())};
            return true;
        case 10:
            value = in.fixed<char16_t>();
            return true;
        default:
            return false;
    }
}

}  // namespace busbar
