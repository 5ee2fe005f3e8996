#include "bus/security/scram.h"

#include "bus/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>

namespace busbar {
namespace {

constexpr std::string_view kPrefix = "SCRAM-SHA-256$";
constexpr std::uint32_t kIterations = 100'000;
constexpr std::uint32_t kIterationsMin = 4'096;  // RFC 7677, section 4
constexpr std::uint32_t kIterationsMax = 10'000'000;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = SHA256_DIGEST_LENGTH;
constexpr std::size_t kMessageMax = 4'096;
constexpr std::size_t kNonceMax = 512;

const unsigned char* bytesOf(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac(std::string_view key, std::string_view text) {
    std::string out(kHashBytes, '\0');
    unsigned size = 0;
    const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytesOf(text),
                            text.size(), reinterpret_cast<unsigned char*>(out.data()), &size);
    BUSBAR_CHECK(done != nullptr && size == kHashBytes, "HMAC-SHA-256 is not there");
    return out;
}

std::string sha256(std::string_view text) {
    std::string out(kHashBytes, '\0');
    SHA256(bytesOf(text), text.size(), reinterpret_cast<unsigned char*>(out.data()));
    return out;
}

std::string toBase64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytesOf(bytes),
                                     static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

/// Only what toBase64 gives.
std::optional<std::string> fromBase64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0 || text.size() > kMessageMax) return {};
    std::string out(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytesOf(text),
                                     static_cast<int>(text.size()));
    if (size < 0) return {};
    const auto end = text.substr(text.size() - 2);
    out.resize(static_cast<std::size_t>(size) - (end == "==" ? 2 : end.back() == '=' ? 1 : 0));
    if (toBase64(out) != text) return {};
    return out;
}

/// RFC 5802, section 7: "printable", and without the comma.
bool isNonce(std::string_view text) {
    return !text.empty() && text.size() <= kNonceMax &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

/// A saslname: "=2C" and "=3D" are comma and equals sign, which do not stand for themselves.
std::optional<std::string> readName(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.front() == '=') {
            if (!text.starts_with("=2C") && !text.starts_with("=3D")) return {};
            out += text[1] == '2' ? ',' : '=';
            text.remove_prefix(3);
        } else {
            if (text.front() == '\0') return {};
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

/// Takes what is before the next comma, and the comma; nothing where there is none.
std::optional<std::string_view> takeField(std::string_view& rest) {
    const auto comma = rest.find(',');
    if (comma == rest.npos) return {};
    const auto field = rest.substr(0, comma);
    rest.remove_prefix(comma + 1);
    return field;
}

Error refused() {
    return {ErrorCode::unauthenticated, "unknown user or wrong password"};
}

Error malformed(const char* what) {
    return {ErrorCode::unauthenticated, std::string("SCRAM: ") + what};
}

}  // namespace

ScramKeys deriveScramKeys(std::string_view password, std::string salt, std::uint32_t iterations) {
    std::string salted(kHashBytes, '\0');
    const int done = PKCS5_PBKDF2_HMAC(
        password.data(), static_cast<int>(password.size()), bytesOf(salt),
        static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
        static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data()));
    BUSBAR_CHECK(done == 1, "PBKDF2 is not there");
    return {iterations, std::move(salt), sha256(hmac(salted, "Client Key")),
            hmac(salted, "Server Key")};
}

std::optional<ScramKeys> makeScramKeys(std::string_view password) {
    const bool same =
        !password.empty() &&
        std::all_of(password.begin(), password.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!same) return {};
    std::string salt(kSaltBytes, '\0');
    BUSBAR_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), kSaltBytes) == 1,
                 "the operating system gives no random bytes");
    return deriveScramKeys(password, std::move(salt), kIterations);
}

/// The stored key has no known original, so no proof fits.
ScramKeys decoyScramKeys(std::string_view user, std::string_view secret) {
    const auto of = [&](std::string_view what) {
        return hmac(secret, std::string(what) + std::string(user));
    };
    return {kIterations, of("salt:").substr(0, kSaltBytes), of("stored:"), of("server:")};
}

std::string printScramKeys(const ScramKeys& keys) {
    return std::string(kPrefix) + std::to_string(keys.iterations) + ":" + toBase64(keys.salt) +
           "$" + toBase64(keys.storedKey) + ":" + toBase64(keys.serverKey);
}

std::optional<ScramKeys> parseScramKeys(std::string_view text) {
    if (!text.starts_with(kPrefix)) return {};
    text.remove_prefix(kPrefix.size());
    ScramKeys keys;
    const auto [end, failed] =
        std::from_chars(text.data(), text.data() + text.size(), keys.iterations);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto dollar = text.find('$');
    const auto colon = dollar == text.npos ? dollar : text.find(':', dollar);
    if (failed != std::errc{} || colon == text.npos || !text.starts_with(':') ||
        keys.iterations < kIterationsMin || keys.iterations > kIterationsMax) {
        return {};
    }
    auto salt = fromBase64(text.substr(1, dollar - 1));
    auto storedKey = fromBase64(text.substr(dollar + 1, colon - dollar - 1));
    auto serverKey = fromBase64(text.substr(colon + 1));
    if (!salt || !storedKey || !serverKey || storedKey->size() != kHashBytes ||
        serverKey->size() != kHashBytes) {
        return {};
    }
    keys.salt = std::move(*salt);
    keys.storedKey = std::move(*storedKey);
    keys.serverKey = std::move(*serverKey);
    return keys;
}

// ---- the exchange; grammar in RFC 5802, section 7

/// gs2-header client-first-message-bare; gs2-header: ("n" / "y" / "p=" name) "," ["a=" name] ",";
/// bare: "n=" name ",r=" nonce ["," extensions].
Result<std::string> ScramExchange::first(std::string_view message) {
    if (message.size() > kMessageMax) return malformed("the first message is too long");
    std::string_view rest = message;
    const auto binding = takeField(rest);
    const auto authzid = takeField(rest);
    if (!binding || !authzid) return malformed("the first message has no GS2 header");
    if (binding->starts_with("p=")) return malformed("channel binding is not offered");
    if (*binding != "n" && *binding != "y") return malformed("a GS2 header begins with n or y");
    gs2Header_ = message.substr(0, message.size() - rest.size());
    clientFirstBare_ = rest;
    if (rest.starts_with("m=")) return malformed("an extension is mandatory that is not known");
    const auto name = takeField(rest);
    const auto nonce = rest.substr(0, rest.find(','));
    if (!name || !name->starts_with("n=") || !nonce.starts_with("r=") ||
        !isNonce(nonce.substr(2))) {
        return malformed("n=NAME,r=NONCE is expected");
    }
    const auto user = readName(name->substr(2));
    if (!user || user->empty()) return malformed("the user's name is empty or badly escaped");
    if (!authzid->empty() && (!authzid->starts_with("a=") || readName(authzid->substr(2)) != user))
        return malformed("acting for somebody else is not offered");
    clientNonce_ = nonce.substr(2);
    return *user;
}

std::string ScramExchange::challenge(ScramKeys keys, std::string_view nonce) {
    keys_ = std::move(keys);
    nonce_ = clientNonce_ + std::string(nonce);
    serverFirst_ =
        "r=" + nonce_ + ",s=" + toBase64(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
    return serverFirst_;
}

/// "c=" base64(gs2-header) ",r=" nonce ["," extensions] ",p=" base64(proof).
Result<std::string> ScramExchange::finish(std::string_view message) {
    if (serverFirst_.empty() || message.size() > kMessageMax)
        return malformed("the last message is out of place or too long");
    const auto proofAt = message.rfind(",p=");
    if (proofAt == message.npos) return malformed("the last message has no proof");
    const auto withoutProof = message.substr(0, proofAt);
    std::string_view rest = withoutProof;
    const auto binding = takeField(rest);
    if (!binding || *binding != "c=" + toBase64(gs2Header_))
        return malformed("the channel binding is not that of the first message");
    if (rest.substr(0, rest.find(',')) != "r=" + nonce_)
        return malformed("the nonce is not that of the challenge");
    if (!proves(withoutProof, message.substr(proofAt + 3))) return refused();
    const std::string text =
        clientFirstBare_ + "," + serverFirst_ + "," + std::string(withoutProof);
    return "v=" + toBase64(hmac(keys_.serverKey, text));
}

/// The proof is the client's key under the signature; its hash is what we keep.
bool ScramExchange::proves(std::string_view withoutProof, std::string_view proof) const {
    auto key = fromBase64(proof);
    if (!key || key->size() != kHashBytes) return false;
    const std::string signature = hmac(
        keys_.storedKey, clientFirstBare_ + "," + serverFirst_ + "," + std::string(withoutProof));
    for (std::size_t i = 0; i < kHashBytes; ++i)
        (*key)[i] = static_cast<char>((*key)[i] ^ signature[i]);
    return CRYPTO_memcmp(sha256(*key).data(), keys_.storedKey.data(), kHashBytes) == 0;
}

}  // namespace busbar
