// ScramExchange and parseScramKeys over arbitrary bytes: the first line is the client's first
// message, the second its last one, the third keys as text. Nothing may fit keys of no password.
#include "bus/base/check.h"
#include "bus/security/scram.h"

#include <array>
#include <cstdint>

using namespace busbar;

namespace {

std::array<std::string_view, 3> lines(std::string_view text) {
    std::array<std::string_view, 3> out;
    for (auto& line : out) {
        const auto end = text.find('\n');
        line = text.substr(0, end);
        text = end == text.npos ? std::string_view() : text.substr(end + 1);
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto [first, last, keys] = lines({reinterpret_cast<const char*>(data), size});
    if (const auto parsed = parseScramKeys(keys))
        BUSBAR_CHECK(printScramKeys(*parsed) == keys, "keys changed");
    ScramExchange exchange;
    const auto user = exchange.first(first);
    if (!user) {
        BUSBAR_CHECK(!user.error().text.empty(), "a refusal without a reason");
        return 0;
    }
    BUSBAR_CHECK(!user->empty(), "a login without a name");
    const auto challenge = exchange.challenge(decoyScramKeys(*user, "fuzz"), "server");
    BUSBAR_CHECK(challenge.find("server,s=") != challenge.npos, "a challenge without our nonce");
    BUSBAR_CHECK(!exchange.finish(last).ok(), "a proof of no password");
    return 0;
}
