#include "bus/base/buffer.h"

#include "bus/base/check.h"

#include <cstring>

namespace busbar {

Buffer Buffer::copyOf(std::string_view bytes) {
    if (bytes.empty()) return {};
    auto memory = std::make_shared_for_overwrite<char[]>(bytes.size());
    std::memcpy(memory.get(), bytes.data(), bytes.size());
    const char* data = memory.get();
    return Buffer(std::move(memory), data, bytes.size());
}

Buffer Buffer::of(std::string bytes) {
    if (bytes.empty()) return {};
    auto memory = std::make_shared<const std::string>(std::move(bytes));
    const char* data = memory->data();
    const std::size_t size = memory->size();
    return Buffer(std::move(memory), data, size);
}

Buffer Buffer::slice(std::size_t offset, std::size_t size) const {
    BUSBAR_CHECK(offset <= size_ && size <= size_ - offset, "slice outside of its buffer");
    return Buffer(owner_, data_ + offset, size);
}

}  // namespace busbar
