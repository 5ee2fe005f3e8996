#include "adapters/http/errors.h"

namespace busbar::http {

unsigned statusOf(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalidArgument:
            return 400;
        case ErrorCode::malformed:
            return 400;
        case ErrorCode::tooLarge:
            return 413;
        case ErrorCode::notFound:
            return 404;
        case ErrorCode::alreadyExists:
            return 409;
        case ErrorCode::unauthenticated:
            return 401;
        case ErrorCode::notAuthorized:
            return 403;
        case ErrorCode::limitReached:
            return 429;
        case ErrorCode::lockLost:
            return 410;
        case ErrorCode::conflict:
            return 409;
        case ErrorCode::transactionUnknown:
            return 404;
        case ErrorCode::transactionAborted:
            return 409;
        case ErrorCode::timeout:
            return 504;
        case ErrorCode::unsupported:
            return 501;
        case ErrorCode::storageFull:
            return 507;
        case ErrorCode::storageFailed:
            return 503;
        case ErrorCode::storageCorrupt:
            return 500;
        case ErrorCode::inUse:
            return 409;
        case ErrorCode::unavailable:
            return 503;
        case ErrorCode::closed:
            return 503;
        case ErrorCode::internal:
            return 500;
    }
    return 500;
}

void writeError(JsonWriter& json, const Error& error) {
    json.key("error").beginObject().key("code").string(name(error.code));
    json.key("message").string(error.text).endObject();
}

Response errorResponse(const Error& error) {
    JsonWriter json;
    json.beginObject();
    writeError(json, error);
    json.endObject();
    auto response = Response::json(statusOf(error.code), json.take());
    if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
    return response;
}

}  // namespace busbar::http
