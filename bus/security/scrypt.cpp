#include "bus/security/scrypt.h"

#include "bus/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <charconv>
#include <cstdint>
#include <optional>

namespace busbar {
namespace {

constexpr std::string_view kPrefix = "$scrypt$";
constexpr std::uint64_t kMemoryMax = 64ull << 20;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kKeyBytes = 32;

struct Parameters {
    std::uint32_t ln = 14;
    std::uint32_t r = 8;
    std::uint32_t p = 1;
};

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string toBase64(std::string_view bytes) {
    std::string out;
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (have += 8; have >= 6; have -= 6) out += kBase64[(bits >> (have - 6)) & 63];
    }
    if (have > 0) out += kBase64[(bits << (6 - have)) & 63];
    return out;
}

std::optional<std::string> fromBase64(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        const auto digit = kBase64.find(c);
        if (digit == std::string_view::npos) return {};
        bits = (bits << 6) | static_cast<std::uint32_t>(digit);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out += static_cast<char>((bits >> have) & 0xff);
    }
    return out;
}

std::uint64_t memoryOf(const Parameters& parameters) {
    return 128ull * parameters.r * ((1ull << parameters.ln) + parameters.p + 2);
}

Result<std::string> derive(std::string_view password, std::string_view salt,
                           const Parameters& parameters, std::size_t bytes) {
    std::string key(bytes, '\0');
    const int done = EVP_PBE_scrypt(
        password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()),
        salt.size(), 1ull << parameters.ln, parameters.r, parameters.p, kMemoryMax + (1 << 20),
        reinterpret_cast<unsigned char*>(key.data()), key.size());
    if (done != 1) return Error{ErrorCode::internal, "scrypt failed: not enough memory?"};
    return key;
}

/// Reads "name=NUMBER" and the separator behind it.
bool readParameter(std::string_view& text, std::string_view name, char separator,
                   std::uint32_t& value) {
    if (!text.starts_with(name)) return false;
    text.remove_prefix(name.size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data() + text.size() || *end != separator) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    return true;
}

struct Parsed {
    Parameters parameters;
    std::string salt;
    std::string key;
};

Result<Parsed> parse(std::string_view hash) {
    const Error malformed{ErrorCode::malformed,
                          "a password hash must look like $scrypt$ln=14,r=8,p=1$SALT$HASH"};
    if (!hash.starts_with(kPrefix)) return malformed;
    hash.remove_prefix(kPrefix.size());
    Parsed parsed;
    auto& [ln, r, p] = parsed.parameters;
    if (!readParameter(hash, "ln=", ',', ln) || !readParameter(hash, "r=", ',', r) ||
        !readParameter(hash, "p=", '$', p)) {
        return malformed;
    }
    if (ln < 1 || ln > 24 || r < 1 || r > 64 || p < 1 || p > 16 ||
        memoryOf(parsed.parameters) > kMemoryMax) {
        return Error{ErrorCode::malformed, "a password hash asks for more work than is allowed"};
    }
    const auto middle = hash.find('$');
    if (middle == std::string_view::npos) return malformed;
    auto salt = fromBase64(hash.substr(0, middle));
    auto key = fromBase64(hash.substr(middle + 1));
    if (!salt || !key || salt->empty() || key->size() < 16 || key->size() > 64) return malformed;
    parsed.salt = std::move(*salt);
    parsed.key = std::move(*key);
    return parsed;
}

std::string randomBytes(std::size_t count) {
    std::string bytes(count, '\0');
    const int done =
        RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count));
    BUSBAR_CHECK(done == 1, "the operating system gives no random bytes");
    return bytes;
}

}  // namespace

Result<std::string> hashPassword(std::string_view password) {
    const Parameters parameters;
    const std::string salt = randomBytes(kSaltBytes);
    auto key = derive(password, salt, parameters, kKeyBytes);
    if (!key) return key;
    return std::string(kPrefix) + "ln=14,r=8,p=1$" + toBase64(salt) + "$" + toBase64(*key);
}

Result<bool> verifyPassword(std::string_view password, std::string_view hash) {
    auto parsed = parse(hash);
    if (!parsed) return std::move(parsed).error();
    auto key = derive(password, parsed->salt, parsed->parameters, parsed->key.size());
    if (!key) return std::move(key).error();
    return CRYPTO_memcmp(key->data(), parsed->key.data(), key->size()) == 0;
}

std::string randomToken(std::size_t bytes) {
    static constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
    std::string out;
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : randomBytes(bytes)) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (have += 8; have >= 5; have -= 5) out += kBase32[(bits >> (have - 5)) & 31];
    }
    if (have > 0) out += kBase32[(bits << (5 - have)) & 31];
    return out;
}

}  // namespace busbar
