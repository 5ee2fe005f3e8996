#include "adapters/http/batch_reader.h"

#include "adapters/http/send_fields.h"
#include "bus/base/base64.h"
#include "bus/base/utf8.h"
#include "bus/message/body.h"
#include "bus/message/json_reader.h"

#include <algorithm>
#include <array>
#include <optional>

namespace busbar::http {
namespace {

// Two more than a body has: the array and the element around it.
constexpr json::TreeLimits kBatchLimits{kBatchValuesMax, kBatchValuesMax, 2 * kBodyDepthMax + 4};

/// What the bus says of a message that it gives out; it says it anew of one that is sent.
constexpr std::array<std::string_view, 10> kPassedOver{
    "id",       "destination", "timestamp",     "userId", "lease",
    "position", "dueAt",       "deliveryCount", "held",   "fencingToken"};
constexpr std::array<std::string_view, 4> kOfBody{"body", "bodyKind", "bodyEncoding", "properties"};

bool isOneOf(const auto& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

Error wrong(const std::string& what, std::string_view expected) {
    return {ErrorCode::invalidArgument, what + ": " + std::string(expected)};
}

/// A string, a number or a boolean as text.
std::optional<std::string_view> textOf(const json::Node& node, bool stringsOnly) {
    if (const auto* text = std::get_if<std::string>(&node.data)) return *text;
    if (stringsOnly) return std::nullopt;
    if (const auto* number = std::get_if<json::Number>(&node.data)) return number->text;
    if (const auto* flag = std::get_if<bool>(&node.data)) return *flag ? "true" : "false";
    return std::nullopt;
}

/// One element. `path` is what errors begin with: "[3]".
class Element {
  public:
    Element(json::Node& node, std::string path, SendFields& fields)
        : node_(node), path_(std::move(path)), fields_(fields) {}

    Result<void> read() {
        auto* members = std::get_if<json::Members>(&node_.data);
        if (!members) return wrong(path_, "an object is expected");
        for (auto& [name, value] : *members) {
            if (name == "body") body_ = &value;
            if (auto set = field(name, value); !set) return set.error();
        }
        if (auto one = notBoth("expiresMs", "expiration"); !one) return one;
        if (auto one = notBoth("delayMs", "deliverAt"); !one) return one;
        if (auto set = properties(); !set) return set.error();
        return body();
    }

  private:
    std::string pathTo(std::string_view name) const {
        return path_ + "." + showable(name.substr(0, 60));
    }

    const json::Node* find(std::string_view name) const {
        const auto* found = node_.member(name);
        return found && !found->isNull() ? found : nullptr;
    }

    Result<void> field(const std::string& name, const json::Node& value) {
        if (value.isNull() || isOneOf(kPassedOver, name) || isOneOf(kOfBody, name)) return {};
        if (name == "bodyPath" || name == "bodyBytes") {
            return wrong(pathTo(name),
                         "a large body cannot be sent in a batch: fetch it, and send "
                         "the message by itself");
        }
        const auto* row = SendFields::byField(name);
        if (!row) return wrong(pathTo(name), "there is no such field");
        const auto text = textOf(value, row->text);
        if (!text)
            return wrong(pathTo(name),
                         row->text ? "a string is expected" : "a number or a boolean is expected");
        return fields_.set(*row, pathTo(name), *text);
    }

    Result<void> notBoth(std::string_view a, std::string_view b) const {
        if (!find(a) || !find(b)) return {};
        return wrong(path_, std::string(a) + " and " + std::string(b) +
                                " say the same: one of them is expected");
    }

    Result<void> properties() {
        const auto* node = find("properties");
        if (!node) return {};
        const auto* members = std::get_if<json::Members>(&node->data);
        if (!members) return wrong(pathTo("properties"), "an object is expected");
        for (const auto& [name, value] : *members) {
            const auto what = pathTo("properties") + "." + showable(name.substr(0, 60));
            auto read = valueFromJson(value);
            if (!read) return wrong(what, read.error().text);
            if (auto set = fields_.setProperty(what, name, std::move(*read)); !set)
                return set.error();
        }
        return {};
    }

    /// What "bodyKind" says; nothing where it is not there.
    Result<std::optional<BodyKind>> kind() const {
        const auto* node = find("bodyKind");
        if (!node) return std::optional<BodyKind>();
        const auto name = textOf(*node, true);
        if (!name) return wrong(pathTo("bodyKind"), "a string is expected");
        const auto known = bodyKindOf(pathTo("bodyKind"), *name);
        if (!known) return known.error();
        return std::optional(*known);
    }

    Result<void> body() {
        const auto said = kind();
        if (!said) return said.error();
        if (!body_) return fields_.setBodyOfKind({}, said->value_or(BodyKind::none), {});
        if (body_->isNull()) return nullBody(said->value_or(BodyKind::none));
        if (*said == BodyKind::map || *said == BodyKind::stream) {
            auto encoded = bodyFromJson(**said, *body_);
            if (!encoded) return wrong(pathTo("body"), encoded.error().text);
            return fields_.setBodyOfKind({}, **said, Buffer::of(std::move(*encoded)));
        }
        auto* text = std::get_if<std::string>(&body_->data);
        if (!text) {
            return wrong(pathTo("body"),
                         "a string is expected; an object or an array is for the bodyKinds map "
                         "and stream");
        }
        const auto decoded = decode(*text);
        if (!decoded) return decoded.error();
        auto bytes = Buffer::of(std::move(*text));
        if (*said) return fields_.setBodyOfKind(pathTo("bodyKind"), **said, std::move(bytes));
        if (!fields_.message().contentType.empty()) {
            auto set = fields_.setPlainBody(std::move(bytes));
            return set ? set : wrong(pathTo("body"), set.error().text);
        }
        const auto looks = *decoded ? BodyKind::bytes : BodyKind::text;
        return fields_.setBodyOfKind(pathTo("body"), looks, std::move(bytes));
    }

    Result<void> nullBody(BodyKind kind) {
        if (kind == BodyKind::text) fields_.message().properties.set(kNullText, true);
        return fields_.setBodyOfKind({}, kind, {});
    }

    /// Where "bodyEncoding" says so: out of base64. True where it did.
    Result<bool> decode(std::string& text) const {
        const auto* encoding = find("bodyEncoding");
        if (!encoding) return false;
        if (textOf(*encoding, true) != "base64")
            return wrong(pathTo("bodyEncoding"), R"("base64" is expected, or nothing)");
        auto decoded = fromBase64(text);
        if (!decoded) return wrong(pathTo("body"), "base64 is expected, as bodyEncoding says");
        text = std::move(*decoded);
        return true;
    }

    json::Node& node_;
    json::Node* body_ = nullptr;
    const std::string path_;
    SendFields& fields_;
};

}  // namespace

Result<std::vector<std::shared_ptr<Message>>> messagesOf(std::string_view json,
                                                         const Destination& destination,
                                                         WallTime now, std::size_t countMax) {
    if (auto checked = checkDestinationName(destination.name); !checked) return checked.error();
    auto root = json::parse(json, kBatchLimits);
    if (!root) return root.error();
    auto* elements = std::get_if<json::Items>(&root->data);
    if (!elements) return {ErrorCode::malformed, "the JSON body must be an array of messages"};
    if (elements->size() > countMax) {
        return {ErrorCode::tooLarge, "the array has " + std::to_string(elements->size()) +
                                         " messages: at most " + std::to_string(countMax) +
                                         " are taken in one batch"};
    }
    std::vector<std::shared_ptr<Message>> out;
    out.reserve(elements->size());
    for (auto& element : *elements) {
        SendFields fields(destination, now);
        const auto path = "[" + std::to_string(out.size()) + "]";
        if (auto read = Element(element, path, fields).read(); !read) return read.error();
        out.push_back(fields.finish());
    }
    return out;
}

}  // namespace busbar::http
