// How the structures of OpenWire say what they are made of.
//
// Each structure has one member, `fields`, that names its fields in the order of the wire; it is
// the only place where they are listed. Reader and writer are visitors over it, so that loose and
// tight encoding, both directions and all versions follow from one table:
//
//     struct SessionId {
//         static constexpr std::uint8_t kType = 121;
//         Text connectionId;
//         std::int64_t value = 0;
//         template <class Self, class V>
//         static void fields(Self& self, V& v) { v.text(self.connectionId); v.large(self.value); }
//     };
//
// A visitor has: flag (bool), octet (8 bits), number (32), large (64), text, blob, object (nested
// structure), cached (nested structure that goes through the marshalling cache), objects (array of
// structures), error (throwable), magic (eight bytes), since(version): whether the connection
// speaks this version or a later one.
#pragma once

#include "bus/base/buffer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace busbar::openwire {

/// A nested structure; nullptr is Java's null. Shared, because the marshalling cache hands out the
/// same one again and again, and immutable for that reason.
template <class T>
using Ref = std::shared_ptr<const T>;

/// UTF-8 in memory, modified UTF-8 on the wire; nothing is Java's null.
using Text = std::optional<std::string>;
using Blob = std::optional<Buffer>;
template <class T>
using Array = std::optional<std::vector<Ref<T>>>;

template <class T>
Ref<T> makeRef(T value) {
    return std::make_shared<const T>(std::move(value));
}

/// What every command begins with.
struct CommandHead {
    std::int32_t commandId = 0;
    bool responseRequired = false;

    template <class Self, class V>
    static void fields(Self& self, V& v) {
        v.number(self.commandId);
        v.flag(self.responseRequired);
    }
};

}  // namespace busbar::openwire
