#include "bus/message/message.h"

namespace busbar {

std::size_t footprint(const Message& message) {
    std::size_t bytes = sizeof(Message) + message.body.size() + message.id.size() +
                        message.destination.name.size() + message.correlationId.size() +
                        message.contentType.size() + message.userId.size();
    for (const auto& [name, value] : message.properties) {
        bytes += sizeof(Properties::Entry) + name.size();
        if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
        if (const auto* raw = std::get_if<Bytes>(&value)) bytes += raw->data.size();
    }
    return bytes;
}

std::uint64_t bodySize(const Message& message) {
    return message.large ? message.large->size : message.body.size();
}

}  // namespace busbar
