// SOAP envelopes as the bus handles them: version, payload name, headers, and the other version's
// spelling.
#pragma once

#include "adapters/soap/names.h"
#include "bus/base/result.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::soap {

/// One envelope, read. It is not checked against a schema here. Movable; one thread at a time.
class Envelope {
  public:
    /// malformed where it is no SOAP envelope; unsupported where it is an Envelope of another
    /// namespace (SOAP 1.2 part 1, section 5.4.7: VersionMismatch). Reads UTF-8 and UTF-16.
    static Result<Envelope> parse(std::string_view bytes);
    /// The version alone, of a document that was refused: the same errors, but nothing behind the
    /// start tag of its root is looked at, so that hostile documents cost nothing. UTF-8.
    static Result<Version> peekVersion(std::string_view bytes);
    /// An envelope of `version` around a payload: for workers that answer with the payload alone.
    static Result<Envelope> wrap(std::string_view payload, Version version);

    Envelope(Envelope&&) noexcept;
    Envelope& operator=(Envelope&&) noexcept;
    ~Envelope();

    Version version() const;
    /// The first child of the body; empty where there is none.
    QName payload() const;
    bool isFault() const;
    /// A fault that is the caller's doing: Client or Sender.
    bool isSenderFault() const;

    /// WS-Addressing (1.0, or the submission of 2004); empty where absent.
    std::string messageId() const;
    std::string action() const;

    /// Header blocks with mustUnderstand that are aimed at this bus (no role, next,
    /// ultimateReceiver) and neither WS-Addressing nor of one of `namespaces`. SOAP 1.1
    /// section 4.2.3; SOAP 1.2 part 1, section 2.4.
    std::vector<QName> notUnderstood(std::span<const std::string> namespaces) const;

    /// Removes the blocks aimed at "next": an intermediary does not pass them on, but for those of
    /// SOAP 1.2 with relay="true" (SOAP 1.2 part 1, section 2.7.2).
    void dropNextHeaders();

    /// The envelope in `version`, in UTF-8: its own bytes where nothing was changed.
    std::string text(Version version) const;

  private:
    class Impl;
    explicit Envelope(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace busbar::soap
