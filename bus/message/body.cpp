#include "bus/message/body.h"

#include "bus/message/value_codec.h"

namespace busbar {
namespace {

// Tags below kList are indices into Value. Part of the format: append only.
constexpr std::uint8_t kList = 0x20;
constexpr std::uint8_t kMap = 0x21;

void putBodyValue(std::string& out, const BodyValue& value);

void putList(std::string& out, const BodyList& list) {
    putVarint(out, list.size());
    for (const auto& element : list) putBodyValue(out, element);
}

void putMap(std::string& out, const BodyMap& map) {
    putVarint(out, map.size());
    for (const auto& [key, value] : map) {
        putString(out, key);
        putBodyValue(out, value);
    }
}

void putBodyValue(std::string& out, const BodyValue& value) {
    if (const auto* scalar = std::get_if<Value>(&value.data)) return putValue(out, *scalar);
    if (const auto* list = std::get_if<BodyList>(&value.data)) {
        out += static_cast<char>(kList);
        return putList(out, *list);
    }
    out += static_cast<char>(kMap);
    putMap(out, std::get<BodyMap>(value.data));
}

/// Recursive descent over one body. `depth` counts what encloses the value.
class BodyReader {
  public:
    explicit BodyReader(std::string_view body) : in_(body) {}

    bool list(BodyList& list, int depth) {
        const std::uint64_t count = in_.varint();
        if (depth > kBodyDepthMax || count > in_.remaining()) return false;
        for (std::uint64_t i = 0; i < count; ++i) {
            if (!value(list.emplace_back(), depth)) return false;
        }
        return in_.ok();
    }

    bool map(BodyMap& map, int depth) {
        const std::uint64_t count = in_.varint();
        if (depth > kBodyDepthMax || count > in_.remaining() / 2) return false;
        for (std::uint64_t i = 0; i < count; ++i) {
            auto& [key, element] = map.emplace_back();
            key = in_.string();
            if (!value(element, depth)) return false;
        }
        return in_.ok();
    }

    template <class T>
    Result<T> finish(bool ok, T value, std::string_view what) const {
        if (ok && in_.ok() && in_.remaining() == 0) return value;
        return {ErrorCode::malformed, std::string(what) +
                                          " body does not follow its grammar at byte " +
                                          std::to_string(in_.position())};
    }

  private:
    bool value(BodyValue& value, int depth) {
        const auto tag = in_.fixed<std::uint8_t>();
        if (tag == kList) return list(value.data.emplace<BodyList>(), depth + 1);
        if (tag == kMap) return map(value.data.emplace<BodyMap>(), depth + 1);
        return readValue(in_, tag, std::get<Value>(value.data)) && in_.ok();
    }

    WireReader in_;
};

}  // namespace

// By hand: clang 14 does not survive the comparison of a variant that holds itself in vectors.
bool BodyValue::operator==(const BodyValue& other) const {
    if (data.index() != other.data.index()) return false;
    if (const auto* scalar = std::get_if<Value>(&data)) {
        return *scalar == std::get<Value>(other.data);
    }
    if (const auto* list = std::get_if<BodyList>(&data)) {
        return *list == std::get<BodyList>(other.data);
    }
    return std::get<BodyMap>(data) == std::get<BodyMap>(other.data);
}

void encodeMapBody(const BodyMap& map, std::string& out) {
    putMap(out, map);
}

void encodeStreamBody(const BodyList& list, std::string& out) {
    putList(out, list);
}

Result<BodyMap> decodeMapBody(std::string_view body) {
    if (body.empty()) return BodyMap{};
    BodyReader reader(body);
    BodyMap map;
    const bool ok = reader.map(map, 1);
    return reader.finish(ok, std::move(map), "map");
}

Result<BodyList> decodeStreamBody(std::string_view body) {
    if (body.empty()) return BodyList{};
    BodyReader reader(body);
    BodyList list;
    const bool ok = reader.list(list, 1);
    return reader.finish(ok, std::move(list), "stream");
}

}  // namespace busbar
