#include "bus/message/destination.h"

namespace busbar {

std::string_view name(DestinationKind kind) {
    switch (kind) {
        case DestinationKind::queue:
            return "queue";
        case DestinationKind::topic:
            return "topic";
        case DestinationKind::temporaryQueue:
            return "temp-queue";
        case DestinationKind::temporaryTopic:
            return "temp-topic";
    }
    return "queue";
}

std::string toUri(const Destination& destination) {
    return std::string(name(destination.kind)) + "://" + destination.name;
}

Result<void> checkDestinationName(std::string_view name) {
    if (name.empty())
        return {ErrorCode::invalidArgument, "a destination needs a name, got an empty one"};
    if (name.size() > 255) {
        return {ErrorCode::invalidArgument,
                "a destination name has at most 255 bytes, got " + std::to_string(name.size())};
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto byte = static_cast<unsigned char>(name[i]);
        if (byte < 0x20 || byte == 0x7f) {
            return {ErrorCode::invalidArgument,
                    "a destination name has no control characters, got code " +
                        std::to_string(byte) + " at byte " + std::to_string(i + 1)};
        }
    }
    return {};
}

}  // namespace busbar
