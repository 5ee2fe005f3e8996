#include "bus/base/result.h"

namespace busbar {

std::string_view name(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalidArgument:
            return "invalid-argument";
        case ErrorCode::malformed:
            return "malformed";
        case ErrorCode::tooLarge:
            return "too-large";
        case ErrorCode::notFound:
            return "not-found";
        case ErrorCode::alreadyExists:
            return "already-exists";
        case ErrorCode::unauthenticated:
            return "unauthenticated";
        case ErrorCode::notAuthorized:
            return "not-authorized";
        case ErrorCode::limitReached:
            return "limit-reached";
        case ErrorCode::lockLost:
            return "lock-lost";
        case ErrorCode::conflict:
            return "conflict";
        case ErrorCode::transactionUnknown:
            return "transaction-unknown";
        case ErrorCode::transactionAborted:
            return "transaction-aborted";
        case ErrorCode::timeout:
            return "timeout";
        case ErrorCode::unsupported:
            return "unsupported";
        case ErrorCode::storageFull:
            return "storage-full";
        case ErrorCode::storageFailed:
            return "storage-failed";
        case ErrorCode::storageCorrupt:
            return "storage-corrupt";
        case ErrorCode::inUse:
            return "in-use";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::closed:
            return "closed";
        case ErrorCode::internal:
            return "internal";
    }
    return "internal";
}

}  // namespace busbar
