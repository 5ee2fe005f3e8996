// Bytes that are shared, never changed and never copied on the way through the bus.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace busbar {

/// A view of immutable bytes that keeps their memory alive. Copying a Buffer copies a pointer;
/// slices share the memory of the whole. Threads may share the bytes freely; one Buffer object
/// belongs to one thread.
class Buffer {
  public:
    Buffer() = default;

    /// Copies `bytes` into memory of its own.
    static Buffer copyOf(std::string_view bytes);
    /// Takes over a string without copying its bytes (short strings are moved).
    static Buffer of(std::string bytes);

    std::string_view view() const { return {data_, size_}; }
    const char* data() const { return data_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    /// The part [offset, offset + size); it must lie within this buffer.
    Buffer slice(std::size_t offset, std::size_t size) const;

    bool operator==(const Buffer& other) const { return view() == other.view(); }

  private:
    Buffer(std::shared_ptr<const void> owner, const char* data, std::size_t size)
        : owner_(std::move(owner)), data_(data), size_(size) {}

    std::shared_ptr<const void> owner_;
    const char* data_ = "";
    std::size_t size_ = 0;
};

}  // namespace busbar
