#include "adapters/transport/http_server.h"

namespace busbar::transport {

HttpExchange::~HttpExchange() {
    if (!connection_) return;
    if (streaming_) {
        connection_->endStream();
    } else {
        connection_->answer(
            http::Response::error(500, "internal", "the request was dropped without an answer"));
    }
}

void HttpExchange::send(http::Response response) {
    if (!connection_ || streaming_) return;
    complete_ = true;
    std::exchange(connection_, nullptr)->answer(std::move(response));
}

void HttpExchange::startStream(http::Response head) {
    if (!connection_ || streaming_) return;
    streaming_ = true;
    connection_->startStream(head);
    flushLater();
}

std::size_t HttpExchange::write(std::string_view bytes) {
    if (!connection_ || !streaming_) return 0;
    const std::size_t behind = connection_->writeStream(bytes);
    flushLater();
    return behind;
}

void HttpExchange::endStream() {
    if (!connection_ || !streaming_) return;
    complete_ = true;
    std::exchange(connection_, nullptr)->endStream();
}

/// Many small events of one turn become one write.
void HttpExchange::flushLater() {
    if (std::exchange(flushPosted_, true)) return;
    bus_.executor().post([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->flushPosted_ = false;
        if (!self->connection_) return;
        EngineHost& host = self->connection_->host();
        host.flush();
        if (host.outputPending() == 0) self->tellDrained();
    });
}

void HttpExchange::tellDrained() {
    if (connection_ && drained_) {
        const auto handler = drained_;  // may drop us
        handler();
    }
}

void HttpExchange::lose() {
    connection_ = nullptr;
    drained_ = nullptr;
    if (const auto handler = std::exchange(gone_, nullptr)) handler();
}

}  // namespace busbar::transport
