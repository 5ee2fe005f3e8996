// Lease tokens, JSON bodies, query values and header values: whatever comes, no crash, and nothing
// forged is accepted.
#include "adapters/http/batch_reader.h"
#include "adapters/http/json.h"
#include "adapters/http/message_mapping.h"
#include "adapters/http/parameters.h"
#include "adapters/http/queue_options.h"
#include "bus/core/lease_tokens.h"

#include <cstdint>
#include <cstdlib>

namespace {

std::string shown(const busbar::Message& message) {
    busbar::http::JsonWriter json;
    busbar::http::writeMessage(json, message, [](busbar::http::JsonWriter&) {});
    return json.take();
}

/// A batch; what a message of it is shown as makes the same message.
void readBatch(const std::string& text) {
    using namespace busbar;
    const auto to = Destination::queue("q");
    const auto batch = http::messagesOf(text, to, WallTime{}, 100);
    if (!batch) return;
    for (const auto& message : *batch) {
        const auto json = shown(*message);
        if (!isUtf8(json)) std::abort();
        const auto again = http::messagesOf("[" + json + "]", to, WallTime{}, 1);
        if (!again || shown(*again->front()) != json) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace busbar;
    const std::string text(reinterpret_cast<const char*>(data), size);
    static const LeaseTokens tokens;
    if (tokens.read("q", text)) std::abort();
    (void)http::readFlatObject(text);
    (void)http::readFlatObjects(text, 100);
    readBatch(text);
    if (const auto fields = http::readFlatObject(text)) {
        if (const auto options = http::readQueueOptions(*fields, {})) {
            http::JsonWriter json;
            json.beginObject();
            http::writeQueueOptions(json, *options);
            json.endObject();
            const auto again = http::readFlatObject(json.take());
            if (!again || http::readQueueOptions(*again, {}).value() != *options) std::abort();
        }
    }
    if (const auto ids = http::storedIdsOf("ids", text); ids && ids->size() > 10'000) std::abort();
    (void)http::durationOf("wait", text, Milliseconds(0), Milliseconds(60'000));
    (void)http::destinationOf("to", text);
    http::Request request;
    request.headers = {{"X-Property-" + text.substr(0, 20), text},
                       {"X-Priority", text},
                       {"X-Reply-To", text},
                       {"X-Delay-Ms", text},
                       {"X-Deliver-At", text},
                       {"X-Group-Seq", text},
                       {"Content-Type", text.substr(0, size / 2)}};
    request.body = Buffer::copyOf(text);
    for (const auto* kind : {"map", "stream", "text", "object"}) {
        auto typed = request;
        typed.headers = {
            {"X-Body-Kind", kind}, {"X-Property-a", text}, {"X-Types", text.substr(0, size / 2)}};
        (void)http::messageOf(typed, Destination::queue("q"), WallTime{});
        typed.headers.pop_back();
        if (const auto message = http::messageOf(typed, Destination::queue("q"), WallTime{})) {
            http::JsonWriter json;
            http::writeMessage(json, **message, [](http::JsonWriter&) {});
            if (!isUtf8(json.take())) std::abort();
        }
    }
    if (const auto message = http::messageOf(request, Destination::queue("q"), WallTime{})) {
        http::JsonWriter json;
        http::writeMessage(json, **message, [](http::JsonWriter&) {});
        if (!isUtf8(json.take())) std::abort();
    }
    return 0;
}
