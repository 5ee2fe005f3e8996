// Private to this folder: Proton's data as ours, and its objects with owners.
#pragma once

#include "adapters/amqp/types.h"
#include "bus/base/buffer.h"

#include <proton/condition.h>
#include <proton/connection_driver.h>
#include <proton/terminus.h>

#include <optional>
#include <string>
#include <string_view>

namespace busbar::amqp {

/// A driver of one connection; freed with it.
class Driver {
  public:
    Driver();
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    pn_connection_driver_t* get() { return &driver_; }
    pn_transport_t* transport() { return driver_.transport; }
    pn_connection_t* connection() { return driver_.connection; }

  private:
    pn_connection_driver_t driver_{};
};

/// A value that Proton holds, and the memory that its texts are views of.
struct Held {
    Buffer bytes;
    Item item;
};

/// The first value of `data`; a null where there is none, or where it is larger than `bytesMax`.
Held read(pn_data_t* data, std::size_t bytesMax = 64u << 10);
/// Replaces what `data` holds by one encoded value.
void assign(pn_data_t* data, std::string_view encoded);

/// Whether `item` names `symbol`: as an array of symbols, as the standard has it, or as a list or
/// alone, as some clients write it.
bool names(const Item& item, std::string_view symbol);

/// "" for a null pointer.
inline std::string_view view(const char* text) {
    return text ? std::string_view(text) : std::string_view();
}

void set(pn_condition_t* condition, const Error& error);
/// "amqp:not-found: no such node", for reasons and logs.
std::string describe(pn_condition_t* condition);

}  // namespace busbar::amqp
