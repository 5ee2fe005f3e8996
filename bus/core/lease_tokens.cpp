#include "bus/core/lease_tokens.h"

#include "bus/base/base64.h"
#include "bus/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace busbar {
namespace {

constexpr std::size_t kIdsBytes = 16;
constexpr std::size_t kMacBytes = 16;

void put(std::string& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 255);
}

std::uint64_t get(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes.substr(0, 8)) value = (value << 8) | static_cast<unsigned char>(c);
    return value;
}

Result<std::string> bytesOf(std::string_view token) {
    auto bytes = fromBase64Url(token);
    if (!bytes || bytes->size() != kIdsBytes + kMacBytes) {
        return {ErrorCode::malformed,
                "this is not a lease token: expected the 43 characters that came with the message"};
    }
    return std::move(*bytes);
}

Lease leaseOf(std::string_view bytes) {
    return {SessionId(get(bytes)), DeliveryId(get(bytes.substr(8)))};
}

}  // namespace

LeaseTokens::LeaseTokens() : key_(32, '\0') {
    const int done =
        RAND_bytes(reinterpret_cast<unsigned char*>(key_.data()), static_cast<int>(key_.size()));
    BUSBAR_CHECK(done == 1, "the operating system gives no random bytes");
}

std::string LeaseTokens::mac(std::string_view queue, std::string_view ids) const {
    std::string text(ids);
    text += queue;
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
    return {reinterpret_cast<const char*>(out), kMacBytes};
}

std::string LeaseTokens::make(std::string_view queue, const Lease& lease) const {
    std::string ids;
    put(ids, lease.session.value);
    put(ids, lease.delivery.value);
    return base64Url(ids + mac(queue, ids));
}

Result<Lease> LeaseTokens::claimed(std::string_view token) {
    const auto bytes = bytesOf(token);
    if (!bytes) return bytes.error();
    return leaseOf(*bytes);
}

Result<Lease> LeaseTokens::read(std::string_view queue, std::string_view token) const {
    const auto bytes = bytesOf(token);
    if (!bytes) return bytes.error();
    const auto expected = mac(queue, std::string_view(*bytes).substr(0, kIdsBytes));
    if (CRYPTO_memcmp(expected.data(), bytes->data() + kIdsBytes, kMacBytes) != 0) {
        return {ErrorCode::lockLost, "this lease was not given by the running bus for this queue"};
    }
    return leaseOf(*bytes);
}

}  // namespace busbar
