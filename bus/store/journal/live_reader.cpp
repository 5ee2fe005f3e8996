#include "bus/store/journal/live_reader.h"

#include <algorithm>

namespace busbar::journal {
namespace {

constexpr std::uint64_t kReadAhead = 256 << 10;

}  // namespace

Result<std::string_view> LiveReader::read(const Location& at) {
    if (!file_ || at.segment != segment_) {
        auto opened = files_.open(directory_ + "/" + nameOf(at.segment), FileSystem::Mode::read);
        if (!opened) return std::move(opened).error();
        file_ = std::move(*opened);
        segment_ = at.segment;
        buffer_.clear();
    }
    const std::uint64_t end = std::uint64_t{at.offset} + at.size;
    if (at.offset < bufferAt_ || end > bufferAt_ + buffer_.size()) {
        buffer_.resize(std::max<std::uint64_t>(at.size, kReadAhead));
        bufferAt_ = at.offset;
        auto got = file_->read(at.offset, buffer_);
        if (!got) return std::move(got).error();
        buffer_.resize(*got);
        if (*got < at.size) {
            return Error{ErrorCode::storageFailed, nameOf(at.segment) + " became shorter"};
        }
    }
    return std::string_view(buffer_).substr(at.offset - bufferAt_, at.size);
}

std::string LiveReader::nameOf(std::uint32_t segment) const {
    for (const auto& s : layout_.log) {
        if (s.epoch == firstEpoch_ + segment) return segmentName(s.file);
    }
    return "?";
}

}  // namespace busbar::journal
