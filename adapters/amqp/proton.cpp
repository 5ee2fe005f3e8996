#include "adapters/amqp/proton.h"

#include "adapters/amqp/errors.h"
#include "bus/base/utf8.h"

#include <proton/codec.h>
#include <proton/error.h>

#include <new>

namespace busbar::amqp {

Driver::Driver() {
    if (pn_connection_driver_init(&driver_, nullptr, nullptr) != 0) throw std::bad_alloc();
}

Driver::~Driver() {
    pn_connection_driver_destroy(&driver_);
}

Held read(pn_data_t* data, std::size_t bytesMax) {
    Held held;
    if (!data || pn_data_size(data) == 0) return held;
    const ssize_t size = pn_data_encoded_size(data);
    if (size <= 0 || static_cast<std::size_t>(size) > bytesMax) return held;
    std::string bytes(static_cast<std::size_t>(size), '\0');
    if (pn_data_encode(data, bytes.data(), bytes.size()) < 0) return held;
    held.bytes = Buffer::of(std::move(bytes));
    if (auto item = Reader(held.bytes.view()).next()) held.item = std::move(*item);
    return held;
}

void assign(pn_data_t* data, std::string_view encoded) {
    pn_data_clear(data);
    pn_data_decode(data, encoded.data(), encoded.size());
}

bool names(const Item& item, std::string_view symbol) {
    if (item.isText()) return item.bytes == symbol;
    if (item.type != Type::array && item.type != Type::list) return false;
    for (const Item& element : item.items) {
        if (element.isText() && element.bytes == symbol) return true;
    }
    return false;
}

void set(pn_condition_t* condition, const Error& error) {
    pn_condition_set_name(condition, conditionOf(error.code));
    pn_condition_set_description(condition, showable(error.text).c_str());
}

std::string describe(pn_condition_t* condition) {
    if (!condition || !pn_condition_is_set(condition)) return {};
    std::string text(view(pn_condition_get_name(condition)));
    const auto description = view(pn_condition_get_description(condition));
    if (!description.empty()) text += ": " + std::string(description);
    return text;
}

}  // namespace busbar::amqp
