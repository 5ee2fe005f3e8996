#include "adapters/http/large_bodies.h"

#include "adapters/http/errors.h"

#include <algorithm>
#include <charconv>

namespace busbar::http {

void LeasedBodies::add(const Lease& lease, const LargeBodyPtr& body, Milliseconds length) {
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= sweepAt_) {
        std::erase_if(entries_, [](const auto& entry) { return entry.second.body.expired(); });
        sweepAt_ = std::max<std::size_t>(64, 2 * entries_.size());
    }
    entries_[{lease.session, lease.delivery}] = {body, length};
}

LeasedBodies::Leased LeasedBodies::find(const Lease& lease) const {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find({lease.session, lease.delivery});
    if (at == entries_.end()) return {};
    return {at->second.body.lock(), at->second.lease};
}

Result<ByteRange> rangeOf(std::string_view header, std::uint64_t size) {
    const ByteRange whole{0, size, false};
    constexpr std::string_view kUnit = "bytes=";
    if (!header.starts_with(kUnit) || header.find(',') != header.npos) return whole;
    header.remove_prefix(kUnit.size());
    const auto dash = header.find('-');
    if (dash == header.npos) return whole;
    const auto number = [](std::string_view text, std::uint64_t& value) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size();
    };
    std::uint64_t first = 0;
    std::uint64_t last = size - 1;
    const auto from = header.substr(0, dash);
    const auto to = header.substr(dash + 1);
    if (from.empty()) {  // the last so many
        if (!number(to, first)) return whole;
        first = size - std::min(first, size);
    } else if (!number(from, first) || (!to.empty() && !number(to, last)) || last < first) {
        return whole;
    }
    if (first >= size) {
        return {ErrorCode::invalidArgument,
                "Range: the body has " + std::to_string(size) + " bytes"};
    }
    return ByteRange{first, std::min(last, size - 1) - first + 1, true};
}

void BodyAnswer::start(const ResponderPtr& responder, const LargeBodyPtr& body, ByteRange range) {
    if (responder->gone()) return;
    if (!responder->bus().bodies())
        return responder->send(errorResponse({ErrorCode::unsupported, "no large bodies here"}));
    const auto answer = std::make_shared<BodyAnswer>(responder, body, range);
    responder->onDrained([weak = std::weak_ptr(answer)] {
        if (const auto self = weak.lock()) self->fetch();
    });
    // The answer and its responder hold each other until the end, or until the client goes.
    responder->onGone([answer] { answer->responder_ = nullptr; });
    answer->fetch();
}

BodyAnswer::BodyAnswer(ResponderPtr responder, const LargeBodyPtr& body, ByteRange range)
    : responder_(std::move(responder)),
      bodySize_(body->size),
      range_(range),
      download_(*responder_->bus().bodies(), responder_->executor(), body, range.offset,
                range.size) {}

void BodyAnswer::fetch() {
    if (fetching_ || !responder_ || download_.left() == 0) return;
    fetching_ = true;
    download_.next(
        [self = shared_from_this()](Result<Buffer> piece) { self->got(std::move(piece)); });
}

void BodyAnswer::got(Result<Buffer> piece) {
    fetching_ = false;
    if (!responder_) return;
    if (!piece) {
        const auto responder = std::exchange(responder_, nullptr);
        responder->onGone({});
        return started_ ? responder->endStream() : responder->send(errorResponse(piece.error()));
    }
    if (!started_) startStream();
    responder_->write(piece->view());
    if (download_.left() > 0) return;  // onDrained goes on
    const auto responder = std::exchange(responder_, nullptr);
    responder->onGone({});
    responder->endStream();
}

void BodyAnswer::startStream() {
    started_ = true;
    Response head;
    head.status = range_.partial ? 206 : 200;
    head.length = range_.size;
    head.headers = {{"Content-Type", "application/octet-stream"}, {"Accept-Ranges", "bytes"}};
    if (range_.partial) {
        head.headers.emplace_back("Content-Range",
                                  "bytes " + std::to_string(range_.offset) + "-" +
                                      std::to_string(range_.offset + range_.size - 1) + "/" +
                                      std::to_string(bodySize_));
    }
    responder_->startStream(std::move(head));
}

}  // namespace busbar::http
