#include "adapters/transport/http.h"

#include "adapters/transport/http_codec.h"

#include <algorithm>

namespace busbar::http {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

int hexDigit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

std::vector<std::string> splitPattern(std::string_view pattern) {
    std::vector<std::string> out;
    while (!pattern.empty()) {
        pattern.remove_prefix(1);  // the '/'
        const std::size_t end = std::min(pattern.find('/'), pattern.size());
        out.emplace_back(pattern.substr(0, end));
        pattern.remove_prefix(end);
    }
    return out;
}

void appendJson(std::string& out, std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out += kHex[(c >> 4) & 15];
            out += kHex[c & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

Error badTarget(std::string_view part) {
    return {ErrorCode::malformed, "bad percent-escape in '" + std::string(part.substr(0, 100)) +
                                      "' of the request target"};
}

}  // namespace

std::string_view find(const Headers& headers, std::string_view name) {
    for (const auto& [n, value] : headers) {
        if (sameText(n, name)) return value;
    }
    return {};
}

std::optional<std::string> percentDecode(std::string_view text, bool plusIsSpace) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plusIsSpace) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            if (text.size() - i < 3) return std::nullopt;
            const int high = hexDigit(text[i + 1]);
            const int low = hexDigit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return out;
}

std::string_view Request::parameter(std::string_view name, std::string_view fallback) const {
    for (const auto& [n, value] : query) {
        if (n == name) return value;
    }
    return fallback;
}

Result<void> Request::setTarget(std::string_view sent) {
    target = std::string(sent);
    segments.clear();
    query.clear();
    for (const char c : sent) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '#') {
            return {ErrorCode::malformed,
                    "the request target holds a space, a control character or '#'"};
        }
    }
    std::string_view rest = sent;
    if (rest == "*") {
        path = "*";
        return {};
    }
    if (!rest.starts_with('/')) {  // absolute form: RFC 9112, 3.2.2
        const std::size_t scheme = rest.find("://");
        const auto name = rest.substr(0, std::min(scheme, rest.size()));
        if (!sameText(name, "http") && !sameText(name, "https")) {
            return {ErrorCode::malformed, "the request target is neither a path nor an http URL"};
        }
        rest.remove_prefix(scheme + 3);
        const std::size_t slash = rest.find_first_of("/?");
        rest = slash == std::string_view::npos ? std::string_view("/") : rest.substr(slash);
    }
    const std::size_t mark = std::min(rest.find('?'), rest.size());
    path = mark == 0 ? "/" : std::string(rest.substr(0, mark));
    for (std::string_view left = path; !left.empty();) {
        left.remove_prefix(left.front() == '/');
        const std::size_t end = std::min(left.find('/'), left.size());
        auto decoded = percentDecode(left.substr(0, end));
        if (!decoded) return badTarget(left.substr(0, end));
        segments.push_back(std::move(*decoded));
        left.remove_prefix(end);
    }
    for (std::string_view left = rest.substr(std::min(mark + 1, rest.size())); !left.empty();) {
        const std::size_t end = std::min(left.find('&'), left.size());
        const auto pair = left.substr(0, end);
        left.remove_prefix(std::min(end + 1, left.size()));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        auto name = percentDecode(pair.substr(0, equals), true);
        auto value = percentDecode(pair.substr(std::min(equals + 1, pair.size())), true);
        if (!name || !value) return badTarget(pair);
        query.emplace_back(std::move(*name), std::move(*value));
    }
    return {};
}

Response Response::text(unsigned status, std::string body) {
    return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(body)};
}

Response Response::json(unsigned status, std::string body) {
    return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

Response Response::error(unsigned status, std::string_view code, std::string_view message) {
    std::string body = "{\"error\":{\"code\":";
    appendJson(body, code);
    body += ",\"message\":";
    appendJson(body, message);
    return json(status, body + "}}");
}

void Router::add(std::string method, std::string pattern, Access access, Handler handler,
                 std::uint64_t bodyBytesMax, std::uint64_t largeBytesMax, bool sends) {
    auto entry = std::make_unique<Entry>();
    entry->segments = splitPattern(pattern);
    entry->route = {std::move(method), std::move(pattern), access, bodyBytesMax,
                    largeBytesMax,     std::move(handler), sends};
    entries_.push_back(std::move(entry));
}

Router::Match Router::match(std::string_view method,
                            const std::vector<std::string>& segments) const {
    Match match;
    const Route* get = nullptr;
    for (const auto& entry : entries_) {
        const auto& pattern = entry->segments;
        const bool same =
            pattern.size() == segments.size() &&
            std::equal(pattern.begin(), pattern.end(), segments.begin(),
                       [](const auto& p, const auto& s) { return p == "*" || p == s; });
        if (!same) continue;
        const Route& route = entry->route;
        if (route.method == method) {
            match.route = &route;
            match.allow.clear();
            return match;
        }
        if (route.method == "GET" && !get) get = &route;
        if (("," + match.allow + ",").find("," + route.method + ",") == std::string::npos) {
            match.allow += (match.allow.empty() ? "" : ",") + route.method;
        }
    }
    if (method == "HEAD" && get) {
        match.route = get;
        match.allow.clear();
    } else if (!match.allow.empty()) {
        match.allow += get ? ",HEAD,OPTIONS" : ",OPTIONS";
        for (std::size_t at = 0; (at = match.allow.find(',', at)) != std::string::npos; at += 2) {
            match.allow.insert(at + 1, " ");
        }
    }
    return match;
}

}  // namespace busbar::http
