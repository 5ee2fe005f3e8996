#include "adapters/http/event_stream.h"

#include "adapters/http/errors.h"
#include "adapters/http/json.h"
#include "adapters/http/user_sessions.h"
#include "bus/base/base64.h"
#include "bus/message/json.h"

#include <algorithm>
#include <optional>

namespace busbar::http {
namespace {

/// "data: " before every line; lines end in LF, CR or CR LF.
void appendData(std::string& out, std::string_view body) {
    while (true) {
        const auto end = body.find_first_of("\r\n");
        out += "data: ";
        out += body.substr(0, end);
        out += '\n';
        if (end == body.npos) return;
        body.remove_prefix(end + (body.substr(end).starts_with("\r\n") ? 2 : 1));
    }
}

std::string oneLine(std::string text) {
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    return text;
}

/// What can be shown as text: text, and maps and streams as JSON.
std::optional<std::string> textOf(const Message& message) {
    if (message.bodyKind == BodyKind::map || message.bodyKind == BodyKind::stream) {
        auto json = jsonBody(message);
        return json ? std::optional(std::move(*json)) : std::nullopt;
    }
    if (message.bodyKind != BodyKind::text || !isUtf8(message.body.view())) return std::nullopt;
    return std::string(message.body.view());
}

class Stream final : public SessionListener, public std::enable_shared_from_this<Stream> {
  public:
    Stream(const ResponderPtr& responder, Milliseconds keepAlive)
        : responder_(responder), keepAlive_(keepAlive) {}

    void begin(const Caller& caller, const std::string& remote, Destination topic) {
        self_ = shared_from_this();
        auto& bus = responder_->bus();
        session_ = bus.newSession(*this);
        OpenSession open{session_, {}, caller.user, {}, "http-events", remote};
        open.roles = caller.roleList();
        bus.submit(std::move(open));
        Subscribe subscribe;
        subscribe.session = session_;
        subscribe.request = RequestId(1);
        subscribe.consumer = kConsumer;
        subscribe.source = std::move(topic);
        subscribe.ackMode = AckMode::none;
        subscribe.credit = EventStream::kCredit;
        subscribe.windowed = false;
        bus.submit(std::move(subscribe));
        responder_->onGone([weak = weak_from_this()] {
            if (const auto stream = weak.lock()) stream->end();
        });
    }

    void onEffect(Effect& effect) override {
        if (ended_) return;
        if (const auto* error = errorOf(effect)) {
            if (!streaming_) responder_->send(errorResponse(*error));
            return end();
        }
        if (std::holds_alternative<Completed>(effect)) return open();
        if (const auto* delivered = std::get_if<Delivered>(&effect)) {
            pending_ += eventOf(*delivered->delivery.message);
            ++used_;
        }
    }

    void onEffectsEnd() override {
        if (ended_ || !streaming_ || pending_.empty()) return;
        behind_ = responder_->write(pending_);
        pending_.clear();
        refill();
    }

  private:
    static constexpr ConsumerId kConsumer{1};

    void open() {
        streaming_ = true;
        Response head;
        head.headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                        {"Cache-Control", "no-store"}};
        responder_->startStream(std::move(head));
        responder_->onDrained([weak = weak_from_this()] {
            if (const auto stream = weak.lock()) stream->drained();
        });
        behind_ = responder_->write(": connected\n\n");
        scheduleKeepAlive();
    }

    void drained() {
        behind_ = 0;
        if (!ended_) refill();
    }

    /// Gives back the credit that was used, unless the client is too far behind.
    void refill() {
        if (used_ == 0 || behind_ >= EventStream::kBehindMax) return;
        responder_->bus().submit(AddCredit{session_, kConsumer, static_cast<std::int32_t>(used_)});
        used_ = 0;
    }

    void scheduleKeepAlive() {
        responder_->executor().postAfter(keepAlive_, [weak = weak_from_this()] {
            const auto stream = weak.lock();
            if (!stream || stream->ended_) return;
            stream->behind_ = stream->responder_->write(": keep-alive\n\n");
            stream->scheduleKeepAlive();
        });
    }

    /// May run inside onEffect: the object goes from the loop, later.
    void end() {
        if (ended_) return;
        ended_ = true;
        if (streaming_) responder_->endStream();
        auto& executor = responder_->executor();
        executor.post(
            [stream = std::move(self_)] { stream->responder_->bus().close(stream->session_); });
    }

    const ResponderPtr responder_;
    const Milliseconds keepAlive_;
    std::shared_ptr<Stream> self_;  // the bus holds a plain reference until the session is closed
    SessionId session_;
    bool streaming_ = false;
    bool ended_ = false;
    std::string pending_;
    std::uint32_t used_ = 0;
    std::size_t behind_ = 0;
};

}  // namespace

std::string eventOf(const Message& message) {
    if (message.large) {  // a line of gigabytes helps nobody
        return "id: " + oneLine(message.id) +
               "\nevent: large\ndata: {\"bodyBytes\":" + std::to_string(message.large->size) +
               "}\n\n";
    }
    const auto text = textOf(message);
    std::string out =
        "id: " + oneLine(message.id) + "\nevent: " + (text ? "message" : "binary") + "\n";
    appendData(out, text ? *text : base64(message.body.view()));
    out += '\n';
    return out;
}

void EventStream::start(const ResponderPtr& responder, const Caller& caller,
                        const std::string& remote, Destination topic, Milliseconds keepAlive) {
    std::make_shared<Stream>(responder, keepAlive)->begin(caller, remote, std::move(topic));
}

}  // namespace busbar::http
