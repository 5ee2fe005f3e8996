// Outcomes that callers must look at: a value, or an Error that says what went wrong.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace busbar {

/// The closed set of expected failures. Adapters map each code to their wire's own error in one
/// table
/// (`adapters/*/errors.h`); the core and the store know no wire.
enum class ErrorCode : unsigned char {
    invalidArgument,  ///< A value the caller chose is outside what is allowed.
    malformed,        ///< Bytes that do not follow their grammar.
    tooLarge,         ///< A frame, header, body, document or name over its limit.
    notFound,         ///< The named destination, service, subscription or message is not there.
    alreadyExists,    ///< Something of that name is there already.
    unauthenticated,  ///< No login, or a wrong one.
    notAuthorized,    ///< Logged in, but not allowed to do this.
    limitReached,     ///< A configured limit (queue full, sessions, credit) is reached.
    lockLost,         ///< The delivery is not, or no longer, held by the one who settles it.
    conflict,         ///< Client id or subscription in use, or a repeated id with another content.
    transactionUnknown,  ///< No transaction of that name is open here.
    transactionAborted,  ///< The transaction was rolled back; nothing of it happened.
    timeout,             ///< The deadline passed before an answer came.
    unsupported,         ///< Understood, but not offered.
    storageFull,         ///< No room to store; reading and acknowledging go on.
    storageFailed,       ///< The store refused a write or sync; it takes no more until reopened.
    storageCorrupt,      ///< Stored bytes fail their checksum or make no sense.
    inUse,               ///< Another process or consumer holds it exclusively.
    unavailable,         ///< A provider or peer cannot be reached now.
    closed,              ///< The object was closed.
    internal,            ///< A bug of ours that could be contained.
};

/// Stable kebab-case name, as used in JSON and logs, e.g. "storage-full".
std::string_view name(ErrorCode code);

/// What failed. `text` is for people: what, where, and what was expected. It holds no secret.
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string text;

    bool operator==(const Error&) const = default;
};

/// Either a value or an Error. Asking for the one that is not there is a bug
/// (std::bad_variant_access).
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value)
        : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT
    Result(ErrorCode code, std::string text) : Result(Error{code, std::move(text)}) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    const Error& error() const { return std::get<1>(state_); }
    Error& error() { return std::get<1>(state_); }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT: implicit by design
    Result(ErrorCode code, std::string text) : Result(Error{code, std::move(text)}) {}

    bool ok() const { return ok_; }
    explicit operator bool() const { return ok_; }
    const Error& error() const { return error_; }
    Error& error() { return error_; }

  private:
    Error error_;
    bool ok_ = true;
};

}  // namespace busbar
