#include "server/command/messages.h"

#include "adapters/http/parameters.h"

#include <openssl/evp.h>

#include <algorithm>

namespace busbar::command {
namespace {

constexpr std::uint64_t kPage = 100;

std::string fromBase64(const std::string& text) {
    std::string out(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) return {};
    const auto padding =
        std::count(text.end() - std::min<std::ptrdiff_t>(2, std::ssize(text)), text.end(), '=');
    out.resize(static_cast<std::size_t>(size) - static_cast<std::size_t>(padding));
    return out;
}

}  // namespace

std::string bodyOf(const JsonView& message) {
    const JsonView& shown = message["body"];
    // That of a map or stream is JSON itself.
    const bool structured = shown.raw().starts_with('{') || shown.raw().starts_with('[');
    auto body = structured ? std::string(shown.raw()) : shown.text();
    return message["bodyEncoding"].text() == "base64" ? fromBase64(body) : body;
}

std::string bodyPreview(const JsonView& message, std::size_t charactersMax) {
    if (message["bodyEncoding"].text() == "base64") {
        return "(" + counted(bodyOf(message).size(), "byte") + ")";
    }
    return oneLine(bodyOf(message), charactersMax);
}

std::string propertyOf(const JsonView& message, std::string_view name) {
    return message["properties"][name]["value"].text();
}

std::string browseFilter(const Invocation& invocation) {
    const auto selector = invocation.text("selector");
    return selector.empty() ? std::string() : "selector=" + http::encodeSegment(selector) + "&";
}

Result<void> browseQueue(BusClient& bus, const std::string& queue, std::uint64_t max,
                         const std::function<bool(const JsonView&)>& each,
                         const std::string& filter) {
    std::uint64_t seen = 0;
    std::string after = "0";
    for (bool more = true; more && (max == 0 || seen < max);) {
        const auto size = max == 0 ? kPage : std::min(kPage, max - seen);
        const auto page =
            bus.json("GET", queuePath(queue, "/messages?" + filter + "browse=true&max=" +
                                                 std::to_string(size) + "&after=" + after));
        if (!page) return page.error();
        for (const auto& message : (*page)["messages"].elements()) {
            after = message["position"].text();
            ++seen;
            if (!each(message)) return {};
        }
        more = (*page)["more"].boolean() && !(*page)["messages"].elements().empty();
    }
    return {};
}

}  // namespace busbar::command
