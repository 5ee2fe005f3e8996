#include "adapters/openwire/writer.h"

namespace busbar::openwire {

void Writer::large(std::int64_t value) {
    if (!format_.tight) return putBig(data_, value);
    const auto bits = static_cast<std::uint64_t>(value);
    const bool wide = bits > 0xffff;
    flag(wide);
    flag(wide ? bits > 0xffffffff : bits != 0);
    if (bits > 0xffffffff)
        putBig(data_, bits);
    else if (wide)
        putBig(data_, static_cast<std::uint32_t>(bits));
    else if (bits != 0)
        putBig(data_, static_cast<std::uint16_t>(bits));
}

void Writer::text(const Text& value) {
    flag(value.has_value());
    if (!value) return;
    const bool ascii = isJavaAscii(*value);
    if (format_.tight) flag(ascii);
    const std::size_t at = data_.size();
    putBig(data_, std::uint16_t{0});
    if (ascii)
        data_.append(*value);
    else
        appendModifiedUtf8(data_, *value);
    const std::size_t size = data_.size() - at - 2;
    const std::size_t sizeMax =
        format_.tight ? 32'766 : 65'535;  // Java's readers have these limits
    if (size > sizeMax) fail("string is longer than OpenWire can say");
    data_[at] = static_cast<char>(size >> 8);
    data_[at + 1] = static_cast<char>(size);
}

void Writer::blob(const Blob& value) {
    flag(value.has_value());
    if (!value) return;
    if (value->size() > 0x7fffffff) return fail("content of more than 2 GiB");
    putBig(data_, static_cast<std::int32_t>(value->size()));
    if (value->size() >= shareFrom_ && shared_.empty()) {
        shared_ = *value;
        sharedAt_ = data_.size();
        return;
    }
    data_.append(value->view());
}

void Writer::error(const Ref<Throwable>& value) {
    flag(value != nullptr);
    if (!value) return;
    text(value->className);
    text(value->message);
    if (!format_.stackTraces) return;
    if (value->stackTrace.size() > 32'767) return fail("stack trace of more than 32767 entries");
    putBig(data_, static_cast<std::int16_t>(value->stackTrace.size()));
    for (const auto& element : value->stackTrace) {
        text(element.className);
        text(element.methodName);
        text(element.fileName);
        number(element.line);
    }
    error(value->cause);
}

void Writer::plain(const CachedValue& value) {
    std::visit(
        [this](const auto& ref) {
            if constexpr (std::is_same_v<std::decay_t<decltype(ref)>, std::monostate>)
                flag(false);
            else
                object(ref);
        },
        value);
}

void Writer::cached(const CachedValue& value) {
    if (!format_.cache) return plain(value);
    std::int16_t slot = cache_.find(value);
    flag(slot == WriterCache::kNoSlot);
    if (slot != WriterCache::kNoSlot) return putBig(data_, slot);
    const std::size_t at = data_.size();
    putBig(data_, slot);
    // What is nested in the value gets its slot before it in tight encoding, after it in loose.
    if (!format_.tight) slot = cache_.add(value);
    plain(value);
    if (format_.tight) slot = cache_.add(value);
    data_[at] = static_cast<char>(slot >> 8);
    data_[at + 1] = static_cast<char>(slot);
}

}  // namespace busbar::openwire
