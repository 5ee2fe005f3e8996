#include "adapters/openwire/body_mapping.h"

#include "adapters/openwire/big_endian.h"
#include "adapters/openwire/inflate.h"
#include "adapters/openwire/modified_utf8.h"
#include "adapters/openwire/primitive.h"
#include "bus/base/utf8.h"

namespace busbar::openwire {
namespace {

Error malformed(std::string_view what) {
    return {ErrorCode::malformed, std::string(what)};
}

/// The content without its compression. Only bytes messages put a length before the stream.
Result<Buffer> plainContent(const WireMessage& from, const MappingLimits& limits) {
    if (!from.content) return Buffer();
    std::string_view bytes = from.content->view();
    if (!from.compressed || bytes.empty()) {
        if (bytes.size() <= limits.bodyBytesMax) return *from.content;
        return {ErrorCode::tooLarge, "body of " + std::to_string(bytes.size()) +
                                         " bytes, allowed are " +
                                         std::to_string(limits.bodyBytesMax)};
    }
    if (from.kind == WireMessage::kBytes) {
        if (bytes.size() < 4) return malformed("compressed content without its length");
        bytes.remove_prefix(4);
    }
    auto inflated = inflate(bytes, limits.bodyBytesMax);
    if (!inflated) return inflated.error();
    return Buffer::of(std::move(*inflated));
}

/// Text content is a length and modified UTF-8.
Result<Buffer> readText(const Buffer& content) {
    if (content.size() < 4) return malformed("text content without its length");
    const auto length = getBig<std::int32_t>(content.view());
    if (length < 0) return Buffer();
    const Buffer raw = content.slice(4, content.size() - 4);
    if (static_cast<std::size_t>(length) != raw.size()) {
        return malformed("text content of " + std::to_string(raw.size()) + " bytes says it has " +
                         std::to_string(length));
    }
    if (isUtf8(raw.view())) return raw;
    auto text = fromModifiedUtf8(raw.view());
    if (!text) return malformed("text content is not modified UTF-8");
    return Buffer::of(std::move(*text));
}

Buffer writeText(std::string_view text) {
    std::string content(4, '\0');
    content.reserve(text.size() + 4);
    appendModifiedUtf8(content, text);
    std::string length;
    putBig(length, static_cast<std::int32_t>(content.size() - 4));
    content.replace(0, 4, length);
    return Buffer::of(std::move(content));
}

PrimitiveLimits primitiveLimits(const MappingLimits& limits) {
    return {limits.entriesMax, kBodyDepthMax};
}

Result<Buffer> readMap(const Buffer& content, const MappingLimits& limits) {
    if (content.empty()) return Buffer();
    const auto map = readPrimitiveMap(content.view(), primitiveLimits(limits));
    if (!map) return map.error();
    std::string body;
    encodeMapBody(*map, body);
    return Buffer::of(std::move(body));
}

Result<Buffer> readStream(const Buffer& content, const MappingLimits& limits) {
    const auto list = readPrimitiveStream(content.view(), primitiveLimits(limits));
    if (!list) return list.error();
    std::string body;
    encodeStreamBody(*list, body);
    return Buffer::of(std::move(body));
}

Result<Buffer> readBody(WireMessage::Kind kind, const Buffer& content,
                        const MappingLimits& limits) {
    switch (kind) {
        case WireMessage::kText:
            return content.empty() ? Result<Buffer>(Buffer()) : readText(content);
        case WireMessage::kMap:
            return readMap(content, limits);
        case WireMessage::kStream:
            return readStream(content, limits);
        default:
            return content;
    }
}

BodyKind kindOf(WireMessage::Kind kind) {
    switch (kind) {
        case WireMessage::kBytes:
            return BodyKind::bytes;
        case WireMessage::kMap:
            return BodyKind::map;
        case WireMessage::kObject:
            return BodyKind::object;
        case WireMessage::kStream:
            return BodyKind::stream;
        case WireMessage::kText:
            return BodyKind::text;
        case WireMessage::kPlain:
        case WireMessage::kBlob:
            break;
    }
    return BodyKind::none;
}

Result<void> writeMap(const Message& from, WireMessage& to) {
    const auto map = decodeMapBody(from.body.view());
    if (!map) return map.error();
    std::string content;
    if (const auto written = appendPrimitiveMap(content, *map); !written) return written.error();
    to.content = Buffer::of(std::move(content));
    return {};
}

Result<void> writeStream(const Message& from, WireMessage& to) {
    const auto list = decodeStreamBody(from.body.view());
    if (!list) return list.error();
    std::string content;
    if (const auto written = appendPrimitiveStream(content, *list); !written)
        return written.error();
    to.content = Buffer::of(std::move(content));
    return {};
}

}  // namespace

Result<void> readContent(const WireMessage& from, Message& to, const MappingLimits& limits) {
    to.bodyKind = kindOf(from.kind);
    if (to.bodyKind == BodyKind::none) return {};
    const auto content = plainContent(from, limits);
    if (!content) return content.error();
    if (from.kind == WireMessage::kText && content->empty()) {
        to.properties.set(kNullTextProperty, true);
    }
    auto body = readBody(from.kind, *content, limits);
    if (!body) return body.error();
    to.body = std::move(*body);
    return {};
}

Result<void> writeContent(const Message& from, WireMessage& to) {
    switch (from.bodyKind) {
        case BodyKind::none:
            to.kind = WireMessage::kPlain;
            return {};
        case BodyKind::text:
            to.kind = WireMessage::kText;
            if (!from.properties.find(kNullTextProperty)) to.content = writeText(from.body.view());
            return {};
        case BodyKind::map:
            to.kind = WireMessage::kMap;
            return writeMap(from, to);
        case BodyKind::stream:
            to.kind = WireMessage::kStream;
            return writeStream(from, to);
        case BodyKind::object:
            to.kind = WireMessage::kObject;
            if (!from.body.empty()) to.content = from.body;
            return {};
        case BodyKind::bytes:
        case BodyKind::amqp:
            to.kind = WireMessage::kBytes;
            to.content = from.body;
            return {};
    }
    return {ErrorCode::unsupported, "a body of a kind that OpenWire has no message for"};
}

}  // namespace busbar::openwire
