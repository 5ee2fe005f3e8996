#include "bus/store/journal/segment_reader.h"

#include "bus/message/wire.h"

#include <algorithm>

namespace busbar::journal {
namespace {

constexpr std::uint64_t kWindow = 256 << 10;

bool allZero(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

SegmentReader::SegmentReader(const File& file, std::uint64_t epoch, std::uint64_t firstIndex,
                             std::uint64_t from)
    : file_(file), epoch_(epoch), index_(firstIndex), position_(from) {
    if (auto size = file.size()) {
        fileSize_ = *size;
    } else {
        error_ = size.error();
        stop_ = Stop::failed;
    }
}

/// The bytes [offset, offset + size), or fewer where the file ends; empty also where it cannot be
/// read.
std::string_view SegmentReader::window(std::uint64_t offset, std::uint64_t size) {
    if (offset >= fileSize_) return {};
    size = std::min(size, fileSize_ - offset);
    if (offset < bufferAt_ || offset + size > bufferAt_ + buffer_.size()) {
        buffer_.resize(std::min(std::max(size, kWindow), fileSize_ - offset));
        bufferAt_ = offset;
        auto got = file_.read(offset, buffer_);
        if (!got) {
            error_ = got.error();
            stop_ = Stop::failed;
            buffer_.clear();
            return {};
        }
        buffer_.resize(*got);
        size = std::min<std::uint64_t>(size, *got);
    }
    return std::string_view(buffer_).substr(offset - bufferAt_, size);
}

bool SegmentReader::follows(const RecordHeader& header) const {
    return header.epoch == epoch_ && header.index == index_ &&
           position_ + header.stride() <= roundUp(fileSize_, kAlignment);
}

std::optional<SegmentReader::Record> SegmentReader::next() {
    if (stop_ != Stop::none) return {};
    position_ += advance_;
    advance_ = 0;
    const auto head = window(position_, kRecordHeaderBytes);
    if (head.size() == kRecordHeaderBytes) {
        const RecordHeader header = readRecordHeader(head);
        if (follows(header)) {
            const auto bytes = window(position_, kRecordHeaderBytes + header.length);
            if (recordIntact(header, bytes)) {
                ++index_;
                advance_ = header.stride();
                if (header.type == RecordType::end) {
                    position_ += advance_;
                    stop_ = Stop::end;
                    return {};
                }
                return Record{header, position_, bytes.substr(kRecordHeaderBytes)};
            }
        }
    }
    if (stop_ != Stop::failed) examineTail();
    return {};
}

/// An interrupted write leaves any of its sectors, so intact records may follow a broken one. They
/// tell by their `synced` whether the broken one had once been safe: then it is damage, and nothing
/// else is.
void SegmentReader::examineTail() {
    stop_ = Stop::tail;
    const std::uint64_t broken = position_;
    std::uint64_t reach = broken;
    for (std::uint64_t at = broken; at + kRecordHeaderBytes <= fileSize_;) {
        const auto page = window(at, std::min(kPage, fileSize_ - at));
        if (stop_ == Stop::failed) return;
        if (page.size() == kPage && allZero(page)) {
            at += kPage - kRecordHeaderBytes;  // a header may begin in the page and end in the next
            continue;
        }
        const auto head = window(at, kRecordHeaderBytes);
        if (stop_ == Stop::failed) return;
        const RecordHeader header = readRecordHeader(head);
        if (header.epoch != epoch_ || header.index < index_) {
            at += kAlignment;
            continue;
        }
        const auto bytes = window(at, kRecordHeaderBytes + header.length);
        if (stop_ == Stop::failed) return;
        reach = std::max(reach, at + bytes.size());
        if (recordIntact(header, bytes)) {
            if (header.synced > broken) {
                stop_ = Stop::damaged;
                return;
            }
            at += header.stride();
        } else {
            at += kAlignment;
        }
    }
    tornBytes_ = reach - broken;
}

}  // namespace busbar::journal
