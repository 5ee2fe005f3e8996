#include "adapters/openwire/codec.h"
#include "adapters/openwire/writer.h"

namespace busbar::openwire {
namespace {

/// How many bytes of booleans follow: one, two or three bytes (BooleanStream of ActiveMQ).
void putFlagCount(std::string& out, std::size_t count) {
    if (count >= 256) {
        out += '\x80';
        putBig(out, static_cast<std::uint16_t>(count));
        return;
    }
    if (count >= 64) out += '\xc0';
    out += static_cast<char>(count);
}

}  // namespace

void Encoder::setFormat(const WireFormat& format) {
    format_ = format;
    cache_.reset(format.cache ? format.cacheSize : 0);
}

Result<EncodedFrame> Encoder::encode(const Structure& structure) {
    const bool negotiates = structure.as<WireFormatInfo>() != nullptr;
    return encode(structure, negotiates ? WireFormat{} : format_, shareFrom_);
}

Result<void> Encoder::append(const Structure& structure, std::string& out) {
    const bool negotiates = structure.as<WireFormatInfo>() != nullptr;
    const auto frame = encode(structure, negotiates ? WireFormat{} : format_, std::string::npos);
    if (!frame) return frame.error();
    out.append(frame->prefix);
    out.append(frame->head);
    return {};
}

Result<EncodedFrame> Encoder::encode(const Structure& structure, const WireFormat& format,
                                     std::size_t shareFrom) {
    prefix_.clear();
    data_.clear();
    flags_.clear();
    if (format.cache) cache_.beginFrame();
    Writer writer(format, cache_, shareFrom, data_, flags_);
    writer.structure(structure);

    const std::uint8_t type = structure.type();
    std::string head(1, static_cast<char>(type));
    if (format.tight && type != 0) putFlagCount(head, flags_.size());
    const std::uint64_t size = head.size() + flags_.size() + data_.size() + writer.shared().size();
    if (writer.error() || size > 0x7fffffff || flags_.size() > 0x7fff) {
        if (format.cache) cache_.undoFrame();
        if (writer.error())
            return Error{ErrorCode::tooLarge, typeName(type) + ": " + writer.error()->text};
        return {ErrorCode::tooLarge, typeName(type) + ": frame is longer than OpenWire can say"};
    }
    putBig(prefix_, static_cast<std::int32_t>(size));
    prefix_ += head;
    prefix_ += flags_;
    const std::string_view data = data_;
    if (writer.shared().empty()) return EncodedFrame{prefix_, data, {}, {}};
    return EncodedFrame{prefix_, data.substr(0, writer.sharedAt()), writer.shared(),
                        data.substr(writer.sharedAt())};
}

}  // namespace busbar::openwire
