// The client's side of SCRAM-SHA-256 (RFC 5802, section 3), written apart from the server's.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>
#include <string_view>

namespace busbar::test {

inline std::string hmacSha256(std::string_view key, std::string_view text) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
    return {reinterpret_cast<const char*>(out), size};
}

inline std::string sha256(std::string_view text) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), out, &size, EVP_sha256(), nullptr);
    return {reinterpret_cast<const char*>(out), size};
}

inline std::string base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    return out.substr(0, static_cast<std::size_t>(size));
}

/// One login without channel binding.
class ScramClient {
  public:
    ScramClient(const std::string& user, std::string password)
        : password_(std::move(password)), bare_("n=" + user + ",r=client") {}

    std::string first() const { return "n,," + bare_; }
    /// The answer to a challenge, which is kept.
    std::string last(const std::string& challenge) {
        const auto saltAt = challenge.find(",s=") + 3;
        const auto countAt = challenge.find(",i=");
        std::string encoded = challenge.substr(saltAt, countAt - saltAt);
        std::string salt(encoded.size(), '\0');
        int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(salt.data()),
                                   reinterpret_cast<const unsigned char*>(encoded.data()),
                                   static_cast<int>(encoded.size()));
        for (; encoded.ends_with('='); encoded.pop_back()) --size;
        unsigned char salted[32];
        PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()),
                          reinterpret_cast<const unsigned char*>(salt.data()), size,
                          std::stoi(challenge.substr(countAt + 3)), EVP_sha256(), 32, salted);
        salted_.assign(reinterpret_cast<const char*>(salted), 32);
        const std::string without = "c=biws," + challenge.substr(0, saltAt - 3);
        text_ = bare_ + "," + challenge + "," + without;
        std::string proof = hmacSha256(salted_, "Client Key");
        const std::string signature = hmacSha256(sha256(proof), text_);
        for (std::size_t i = 0; i < proof.size(); ++i)
            proof[i] = static_cast<char>(proof[i] ^ signature[i]);
        return without + ",p=" + base64(proof);
    }
    /// What a server says that knows the password too.
    std::string verdict() const {
        return "v=" + base64(hmacSha256(hmacSha256(salted_, "Server Key"), text_));
    }

  private:
    std::string password_, bare_, salted_, text_;
};

}  // namespace busbar::test
