#include "adapters/amqp/errors.h"

namespace busbar::amqp {

const char* conditionOf(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalidArgument:
            return "amqp:invalid-field";
        case ErrorCode::malformed:
            return "amqp:decode-error";
        case ErrorCode::tooLarge:
            return "amqp:link:message-size-exceeded";
        case ErrorCode::notFound:
            return "amqp:not-found";
        case ErrorCode::unauthenticated:
        case ErrorCode::notAuthorized:
            return "amqp:unauthorized-access";
        case ErrorCode::limitReached:
        case ErrorCode::storageFull:
            return "amqp:resource-limit-exceeded";
        case ErrorCode::lockLost:
            return "amqp:precondition-failed";
        case ErrorCode::alreadyExists:
        case ErrorCode::conflict:
        case ErrorCode::inUse:
            return "amqp:resource-locked";
        case ErrorCode::transactionUnknown:
            return "amqp:transaction:unknown-id";
        case ErrorCode::transactionAborted:
            return "amqp:transaction:rollback";
        case ErrorCode::timeout:
        case ErrorCode::unavailable:
            return "amqp:connection:forced";
        case ErrorCode::unsupported:
            return "amqp:not-implemented";
        case ErrorCode::closed:
            return "amqp:illegal-state";
        case ErrorCode::storageFailed:
        case ErrorCode::storageCorrupt:
        case ErrorCode::internal:
            return "amqp:internal-error";
    }
    return "amqp:internal-error";
}

}  // namespace busbar::amqp
