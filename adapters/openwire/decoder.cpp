#include "adapters/openwire/reader.h"

namespace busbar::openwire {
namespace {

constexpr std::size_t kPrefix = 4;

}  // namespace

void Decoder::setFormat(const WireFormat& format) {
    format_ = format;
    cache_.reset(format.cache ? format.cacheSize : 0);
}

Result<Structure*> Decoder::next(std::string_view& input) {
    if (gathered_.empty() && input.size() >= kPrefix) {
        const auto size = sizeOf(input);
        if (!size) return size.error();
        if (input.size() - kPrefix >= *size) {
            const auto frame = input.substr(kPrefix, *size);
            input.remove_prefix(kPrefix + *size);
            return decode(frame, nullptr);
        }
    }
    const auto gather = [&](std::size_t upTo) {
        const auto part = input.substr(0, upTo - gathered_.size());
        gathered_.append(part);
        input.remove_prefix(part.size());
        return gathered_.size() == upTo;
    };
    if (gathered_.size() < kPrefix && !gather(kPrefix)) return nullptr;
    const auto size = sizeOf(gathered_);
    if (!size) return size.error();
    if (!gather(kPrefix + *size)) return nullptr;
    const Buffer whole = Buffer::of(std::exchange(gathered_, {}));
    const Buffer frame = whole.slice(kPrefix, *size);
    return decode(frame.view(), &frame);
}

Result<std::size_t> Decoder::sizeOf(std::string_view prefix) const {
    const auto size = getBig<std::int32_t>(prefix);
    if (size <= 0) {
        return {ErrorCode::malformed, "frame of " + std::to_string(size) + " bytes: not OpenWire"};
    }
    if (static_cast<std::size_t>(size) > limits_.frameBytesMax) {
        return {ErrorCode::tooLarge, "frame of " + std::to_string(size) + " bytes, allowed are " +
                                         std::to_string(limits_.frameBytesMax)};
    }
    return static_cast<std::size_t>(size);
}

Result<Structure*> Decoder::decode(std::string_view frame, const Buffer* owner) {
    Reader reader(frame, owner, format_, cache_, limits_);
    if (!reader.frame(structure_)) return reader.error();
    return &structure_;
}

}  // namespace busbar::openwire
