#include "adapters/stomp/codec.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace busbar::stomp {
namespace {

constexpr std::size_t kReserveMax = 1u << 20;  // a claimed length is believed only so far

const char* findByte(std::string_view bytes, char byte) {
    return bytes.empty() ? nullptr
                         : static_cast<const char*>(std::memchr(bytes.data(), byte, bytes.size()));
}

/// The end of the head: just behind its empty line; npos where that has not come yet.
std::size_t findHeadEnd(std::string_view bytes, std::size_t from) {
    while (from < bytes.size()) {
        const char* at = findByte(bytes.substr(from), '\n');
        if (!at) break;
        const std::size_t next = static_cast<std::size_t>(at - bytes.data()) + 1;
        if (next < bytes.size() && bytes[next] == '\n') return next + 1;
        if (next + 1 < bytes.size() && bytes[next] == '\r' && bytes[next + 1] == '\n')
            return next + 2;
        from = next;
    }
    return std::string_view::npos;
}

std::string shown(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, 60)) {
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
    return out + (text.size() > 60 ? "...'" : "'");
}

/// STOMP 1.2, "Value Encoding": what cannot stand in a header as it is. Asked for every byte of
/// every header, so it is one look into a table.
constexpr auto kSpecial = [] {
    std::array<bool, 256> special{};
    for (const char c : {'\n', '\r', ':', '\\', '\0'})
        special[static_cast<unsigned char>(c)] = true;
    return special;
}();

bool isPlain(std::string_view text) {
    bool special = false;
    for (const char c : text) special |= kSpecial[static_cast<unsigned char>(c)];
    return !special;
}

bool isConnect(std::string_view command) {
    return command == "CONNECT" || command == "STOMP" || command == "CONNECTED";
}

}  // namespace

Result<Frame*> Parser::next(std::string_view& input) {
    if (state_ == State::between) {
        // Line ends between frames are heart-beats or what old clients send after a NUL.
        while (!input.empty() && (input.front() == '\n' || input.front() == '\r'))
            input.remove_prefix(1);
        if (input.empty()) return nullptr;
        head_.clear();
        scanned_ = 0;
        state_ = State::head;
    }
    if (state_ == State::head) {
        auto whole = takeHead(input);
        if (!whole) return whole.error();
        if (!*whole) return nullptr;
    }
    if (frame_.streamed && state_ == State::head) {
        state_ = State::streaming;
        return &frame_;
    }
    auto whole = state_ == State::body ? gatherBody(input) : takeBody(input);
    if (!whole) return whole.error();
    if (!*whole) return nullptr;
    state_ = State::between;
    return &frame_;
}

Result<bool> Parser::takeHead(std::string_view& input) {
    const std::size_t before = head_.size();
    std::size_t end = 0;
    if (before == 0) {
        end = findHeadEnd(input, 0);
        if (end != std::string_view::npos && end <= limits_.headerBytesMax) {
            headView_ = input.substr(0, end);
            input.remove_prefix(end);
            if (auto decoded = decodeHead(headView_); !decoded) return decoded.error();
            return true;
        }
    }
    head_.append(input.substr(0, limits_.headerBytesMax + 1 - before));
    end = findHeadEnd(head_, scanned_);
    const bool found = end != std::string_view::npos;
    if (!found && findByte(std::string_view(head_).substr(scanned_), '\0')) {
        return {ErrorCode::malformed, "a NUL byte within the headers of a frame that begins with " +
                                          shown(head_.substr(0, head_.find('\n'))) +
                                          ": an empty line is expected between headers and body"};
    }
    if (!found && head_.size() > limits_.headerBytesMax) {
        return {ErrorCode::tooLarge, "the headers of a frame are longer than " +
                                         std::to_string(limits_.headerBytesMax) + " bytes"};
    }
    if (!found) {
        scanned_ = head_.size() > 2 ? head_.size() - 2 : 0;
        input = {};
        return false;
    }
    head_.resize(end);
    input.remove_prefix(end - before);
    headView_ = head_;
    if (auto decoded = decodeHead(headView_); !decoded) return decoded.error();
    return true;
}

Result<void> Parser::decodeHead(std::string_view head) {
    frame_.headers.clear();
    frame_.gathered = {};
    frame_.body = {};
    unescaped_.clear();
    bool first = true;
    bool escapes = false;
    while (!head.empty()) {
        const std::size_t end = head.find('\n');  // there is one: the head ends with it
        std::string_view line = head.substr(0, end);
        head.remove_prefix(end + 1);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (findByte(line, '\0') || findByte(line, '\r')) {
            return {ErrorCode::malformed,
                    "a NUL or carriage return within the header line " + shown(line)};
        }
        if (first) {
            frame_.command = line;
            escapes = version_ != Version::v10 && !isConnect(line);
            first = false;
        } else if (!line.empty()) {
            if (auto decoded = decodeHeader(line, escapes); !decoded) return decoded;
        }
    }
    return readLength();
}

Result<void> Parser::decodeHeader(std::string_view line, bool escapes) {
    if (frame_.headers.size() >= limits_.headersMax) {
        return {ErrorCode::tooLarge,
                "a frame has more than " + std::to_string(limits_.headersMax) + " headers"};
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
        return {ErrorCode::malformed, "the header line " + shown(line) + " has no ':'"};
    }
    auto name = unescape(escapes ? line.substr(0, colon) : std::string_view());
    auto value = unescape(escapes ? line.substr(colon + 1) : std::string_view());
    if (!name) return name.error();
    if (!value) return value.error();
    Header header{*name, *value};
    if (!escapes) header = {line.substr(0, colon), line.substr(colon + 1)};
    if (version_ == Version::v10) {  // 1.0 clients write "name: value"
        while (!header.value.empty() && header.value.front() == ' ') header.value.remove_prefix(1);
    }
    frame_.headers.push_back(header);
    return {};
}

/// STOMP 1.2, "Value Encoding": undefined escapes are a fatal protocol error.
Result<std::string_view> Parser::unescape(std::string_view text) {
    if (!findByte(text, '\\')) return text;
    std::string& out = unescaped_.emplace_back();
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        const char code = i + 1 < text.size() ? text[++i] : '\0';
        if (code == 'n')
            out += '\n';
        else if (code == 'c')
            out += ':';
        else if (code == '\\')
            out += '\\';
        else if (code == 'r' && version_ == Version::v12)
            out += '\r';
        else {
            return {ErrorCode::malformed,
                    "undefined escape in " + shown(text) +
                        ": only \\n, \\c, \\\\ and (in STOMP 1.2) \\r are defined"};
        }
    }
    return std::string_view(out);
}

Result<void> Parser::readLength() {
    const auto* text = frame_.find("content-length");
    frame_.hasLength = text != nullptr;
    frame_.streamed = false;
    length_ = 0;
    if (!text) return {};
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length_);
    const bool digits = !text->empty() && std::all_of(text->begin(), text->end(),
                                                      [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) {
        return {ErrorCode::malformed, "content-length is " + shown(*text) +
                                          ": a number of bytes, 0 or more, is expected"};
    }
    frame_.streamed = error == std::errc() && limits_.largeBodyBytes != 0 &&
                      length_ > limits_.largeBodyBytes && length_ <= limits_.largeBytesMax &&
                      frame_.command == "SEND";
    if (frame_.streamed) return {};
    if (error != std::errc() || length_ > limits_.bodyBytesMax) {
        return {ErrorCode::tooLarge, "content-length is " + shown(*text) +
                                         ": a body may have at most " +
                                         std::to_string(limits_.bodyBytesMax) + " bytes"};
    }
    return {};
}

Result<bool> Parser::takeBody(std::string_view& input) {
    std::size_t size = 0;
    if (frame_.hasLength) {
        size = length_;
        if (input.size() <= size) {
            keepHead(headView_);
            return gatherBody(input);
        }
        if (input[size] != '\0') {
            return {ErrorCode::malformed, "no NUL byte after the " + std::to_string(size) +
                                              " bytes that content-length announced"};
        }
    } else {
        const char* end = findByte(input, '\0');
        if (!end) {
            keepHead(headView_);
            return gatherBody(input);
        }
        size = static_cast<std::size_t>(end - input.data());
        if (size > limits_.bodyBytesMax) {
            return {ErrorCode::tooLarge,
                    "a body may have at most " + std::to_string(limits_.bodyBytesMax) + " bytes"};
        }
    }
    frame_.body = input.substr(0, size);
    input.remove_prefix(size + 1);
    return true;
}

/// The input's memory goes away before the frame is whole: keeps the head and reads it again from
/// there.
void Parser::keepHead(std::string_view head) {
    if (head.data() != head_.data()) head_.assign(head);
    headView_ = head_;
    (void)decodeHead(headView_);  // was decoded once: cannot fail
    state_ = State::body;
    body_.clear();
    if (frame_.hasLength) body_.reserve(std::min<std::uint64_t>(length_, kReserveMax));
}

Result<bool> Parser::gatherBody(std::string_view& input) {
    std::size_t size = 0;
    bool whole = false;
    if (frame_.hasLength) {
        size = std::min<std::uint64_t>(length_ - body_.size(), input.size());
        whole = size < input.size();
        if (whole && input[size] != '\0') {
            return {ErrorCode::malformed, "no NUL byte after the " + std::to_string(length_) +
                                              " bytes that content-length announced"};
        }
    } else {
        const char* end = findByte(input, '\0');
        whole = end != nullptr;
        size = whole ? static_cast<std::size_t>(end - input.data()) : input.size();
        if (size > limits_.bodyBytesMax - body_.size()) {
            return {ErrorCode::tooLarge,
                    "a body may have at most " + std::to_string(limits_.bodyBytesMax) + " bytes"};
        }
    }
    body_.append(input.substr(0, size));
    input.remove_prefix(whole ? size + 1 : size);
    if (!whole) return false;
    frame_.gathered = Buffer::of(std::exchange(body_, {}));
    frame_.body = frame_.gathered.view();
    return true;
}

Result<bool> Parser::nextPart(std::string_view& input, std::string_view& part) {
    part = input.substr(0, length_);
    input.remove_prefix(part.size());
    length_ -= part.size();
    if (length_ > 0 || input.empty()) return false;
    if (input.front() != '\0') {
        return {ErrorCode::malformed, "no NUL byte after the bytes that content-length announced"};
    }
    input.remove_prefix(1);
    state_ = State::between;
    return true;
}

void appendValue(std::string& out, std::string_view text, Version version) {
    if (isPlain(text)) {
        out.append(text);
        return;
    }
    for (const char c : text) {
        if (!kSpecial[static_cast<unsigned char>(c)])
            out += c;
        else if (version == Version::v10)
            out += c == ':' || c == '\\' ? c : ' ';
        else if (c == '\n')
            out += "\\n";
        else if (c == ':')
            out += "\\c";
        else if (c == '\\')
            out += "\\\\";
        else if (c == '\r' && version == Version::v12)
            out += "\\r";
        else
            out += ' ';  // NUL, and \r in 1.1, cannot be said
    }
}

void appendHeader(std::string& out, std::string_view name, std::string_view value,
                  Version version) {
    appendValue(out, name, version);
    out += ':';
    appendValue(out, value, version);
    out += '\n';
}

}  // namespace busbar::stomp
