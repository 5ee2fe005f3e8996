// Structures with random contents, made by one more visitor over the field tables.
#pragma once

#include "adapters/openwire/structure.h"

#include <random>

namespace busbar::openwire::test {

class RandomFiller {
  public:
    explicit RandomFiller(std::uint32_t seed) : random_(seed) {}

    Structure make(std::uint8_t type) {
        Structure made = Structure::make(type);
        Structure::fields(made, *this);
        return made;
    }

    bool since(std::int32_t) const { return true; }
    void flag(bool& value) { value = chance(2); }
    void octet(std::int8_t& value) { value = static_cast<std::int8_t>(pick(256)); }
    void number(std::int32_t& value) { value = static_cast<std::int32_t>(random_()); }
    void large(std::int64_t& value) {
        const std::uint64_t bits = (std::uint64_t{random_()} << 32) | random_();
        value = static_cast<std::int64_t>(bits >> (pick(5) * 16 % 64));
        if (chance(4)) value = 0;
    }
    void text(Text& value) {
        if (chance(4)) return;
        static const char* const kParts[] = {
            "ID:host-1", ":", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "", "orders"};
        value.emplace();
        for (unsigned i = pick(6); i > 0; --i) *value += kParts[pick(8)];
        if (chance(10)) *value += '\0';
    }
    void blob(Blob& value) {
        if (chance(4)) return;
        value = Buffer::of(std::string(pick(40), static_cast<char>(pick(256))));
    }
    void magic(std::array<char, 8>&) {}
    void error(Ref<Throwable>& value) {
        if (chance(2)) return;
        Throwable made;
        text(made.className);
        text(made.message);
        made.stackTrace.resize(pick(3));
        for (auto& element : made.stackTrace) {
            text(element.className);
            number(element.line);
        }
        if (depth_++ < 2) error(made.cause);
        --depth_;
        value = makeRef(std::move(made));
    }
    void cached(CachedValue& value) {
        Ref<SessionId> session;
        Ref<TransactionId> transaction;
        object(session);
        object(transaction);
        if (session)
            value = session;
        else if (transaction)
            value = transaction;
    }
    template <class T>
    void cached(Ref<T>& value) {
        object(value);
    }
    template <class T>
    void object(Ref<T>& value) {
        if (depth_ > 2 || chance(4)) return;
        ++depth_;
        T made = makeOfType<T>(typeFor<T>());
        T::fields(made, *this);
        value = makeRef(std::move(made));
        --depth_;
    }
    template <class T>
    void objects(Array<T>& values) {
        if (chance(2)) return;
        values.emplace(pick(4));
        for (auto& value : *values) object(value);
    }

  private:
    template <class T>
    std::uint8_t typeFor() {
        while (true) {
            const auto type = static_cast<std::uint8_t>(pick(125));
            if (acceptsType<T>(type) && type != WireFormatInfo::kType) return type;
        }
    }
    unsigned pick(unsigned count) { return static_cast<unsigned>(random_()) % count; }
    bool chance(unsigned oneIn) { return pick(oneIn) == 0; }

    std::mt19937 random_;
    int depth_ = 0;
};

}  // namespace busbar::openwire::test
