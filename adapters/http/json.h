// JSON out by hand (it is on the data path), JSON in by Poco (small documents only).
#pragma once

#include "bus/base/result.h"
#include "bus/base/utf8.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::http {

/// Writes JSON text in the order of the calls; commas are its own business. Keys and values must
/// alternate as JSON wants them: it does not check. Strings must be UTF-8 (see isUtf8).
class JsonWriter {
  public:
    JsonWriter& beginObject() { return open('{'); }
    JsonWriter& endObject() { return close('}'); }
    JsonWriter& beginArray() { return open('['); }
    JsonWriter& endArray() { return close(']'); }
    JsonWriter& key(std::string_view name);
    JsonWriter& string(std::string_view value);
    JsonWriter& number(std::uint64_t value);
    JsonWriter& signedNumber(std::int64_t value);
    JsonWriter& real(double value);  ///< null where it is not finite
    JsonWriter& boolean(bool value);
    JsonWriter& null();
    JsonWriter& raw(std::string_view json);  ///< a whole value, as JSON

    std::string take() { return std::move(out_); }

  private:
    JsonWriter& open(char c);
    JsonWriter& close(char c);
    void comma();
    void quote(std::string_view text);

    std::string out_;
    bool first_ = true;
};

using FlatObject = std::map<std::string, std::string>;

/// Reads a flat JSON object of strings, numbers and booleans, each as its text, and of arrays of
/// these, as their texts with blanks between; at most 64 KiB. malformed says why.
Result<FlatObject> readFlatObject(std::string_view json);

/// Reads an array of up to `countMax` such objects; at most 1 MiB.
Result<std::vector<FlatObject>> readFlatObjects(std::string_view json, std::size_t countMax);

}  // namespace busbar::http
