#include "adapters/transport/http_codec.h"

#include <openssl/evp.h>

#include <algorithm>
#include <ctime>

namespace busbar::http {

bool sameText(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [&](char x, char y) { return lower(x) == lower(y); });
}

void appendHeader(std::string& out, std::string_view name, std::string_view value) {
    const auto append = [&](std::string_view text) {
        for (const char c : text)
            out += (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f ? ' ' : c;
    };
    append(name);
    out += ": ";
    append(value);
    out += "\r\n";
}

std::string httpDate(WallTime time) {
    const std::time_t seconds =
        std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40];
    const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text, size};
}

std::optional<std::string> base64Decode(std::string_view text) {
    // OpenSSL would read over blanks, and counts padding as bytes.
    const auto pad = text.size() - std::min(text.find('='), text.size());
    const bool blank = text.find_first_of(" \t\r\n\v\f") != std::string_view::npos;
    if (text.size() % 4 != 0 || pad > 2 || blank) return std::nullopt;
    std::string out(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0 || static_cast<std::size_t>(size) < pad) return std::nullopt;
    out.resize(static_cast<std::size_t>(size) - pad);
    return out;
}

}  // namespace busbar::http
