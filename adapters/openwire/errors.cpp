#include "adapters/openwire/errors.h"

#include "bus/base/utf8.h"

namespace busbar::openwire {
namespace {

/// Texts may quote what others sent; Java's readers take 32 766 bytes, ActiveMQ itself cuts at
/// 1024.
constexpr std::size_t kTextMax = 1024;

Ref<Throwable> make(std::string_view className, std::string_view text, std::string_view end = {}) {
    std::string message = showable(text);
    if (message.size() > kTextMax) message = showable(message.substr(0, kTextMax));
    message.append(end);
    Throwable throwable;
    throwable.className = std::string(className);
    throwable.message = std::move(message);
    return makeRef(std::move(throwable));
}

std::string textOf(const Error& error) {
    return std::string(name(error.code)) + ": " + error.text;
}

}  // namespace

std::string_view exceptionClass(ErrorCode code) {
    switch (code) {
        case ErrorCode::unauthenticated:
        case ErrorCode::notAuthorized:
            return "javax.jms.JMSSecurityException";
        case ErrorCode::notFound:
            return "javax.jms.InvalidDestinationException";
        case ErrorCode::conflict:
            return "javax.jms.InvalidClientIDException";
        case ErrorCode::transactionAborted:
            return "javax.jms.TransactionRolledBackException";
        case ErrorCode::limitReached:
        case ErrorCode::storageFull:
            return "javax.jms.ResourceAllocationException";
        case ErrorCode::tooLarge:
        case ErrorCode::malformed:
            return "javax.jms.MessageFormatException";
        case ErrorCode::lockLost:
        case ErrorCode::closed:
        case ErrorCode::transactionUnknown:
            return "javax.jms.IllegalStateException";
        case ErrorCode::invalidArgument:
        case ErrorCode::alreadyExists:
        case ErrorCode::timeout:
        case ErrorCode::unsupported:
        case ErrorCode::storageFailed:
        case ErrorCode::storageCorrupt:
        case ErrorCode::inUse:
        case ErrorCode::unavailable:
        case ErrorCode::internal:
            break;
    }
    return "javax.jms.JMSException";
}

Ref<Throwable> toThrowable(const Error& error) {
    return make(exceptionClass(error.code), textOf(error));
}

Ref<Throwable> toInvalidSelector(const Error& error) {
    return make("javax.jms.InvalidSelectorException", textOf(error));
}

Ref<Throwable> toXaThrowable(XaCode code, std::string_view text) {
    return make("javax.transaction.xa.XAException", text,
                " xaErrorCode:" + std::to_string(static_cast<int>(code)));
}

}  // namespace busbar::openwire
