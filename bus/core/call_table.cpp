#include "bus/core/call_table.h"

#include "bus/message/codec.h"
#include "bus/message/wire.h"

namespace busbar {

ServiceCall& CallTable::add(ServiceCall call) {
    services_.try_emplace(call.service);
    if (!call.key.empty()) keys_[call.key] = call.correlationId;
    if (!call.reply) ++open_[call.service];
    std::string id = call.correlationId;
    return calls_.insert_or_assign(std::move(id), std::move(call)).first->second;
}

ServiceCall* CallTable::find(std::string_view correlationId) {
    const auto found = calls_.find(std::string(correlationId));
    return found == calls_.end() ? nullptr : &found->second;
}

ServiceCall* CallTable::findKey(const std::string& key) {
    const auto found = keys_.find(key);
    return found == keys_.end() ? nullptr : find(found->second);
}

void CallTable::erase(const std::string& correlationId) {
    const auto found = calls_.find(correlationId);
    if (found == calls_.end()) return;
    if (!found->second.reply) --open_[found->second.service];
    if (!found->second.key.empty()) keys_.erase(found->second.key);
    calls_.erase(found);
}

void CallTable::setReply(ServiceCall& call, MessagePtr reply, WallTime at) {
    std::uint64_t& open = open_[call.service];
    if (!call.reply && reply) --open;
    if (call.reply && !reply) ++open;
    call.reply = std::move(reply);
    call.answeredAt = at;
}

std::uint64_t CallTable::open(const std::string& service) const {
    const auto found = open_.find(service);
    return found == open_.end() ? 0 : found->second;
}

std::string_view CallTable::serviceOfReplyQueue(std::string_view queue) const {
    if (!queue.ends_with(kReplySuffix)) return {};
    const auto found =
        services_.find(std::string(queue.substr(0, queue.size() - kReplySuffix.size())));
    return found == services_.end() ? std::string_view() : std::string_view(found->first);
}

std::string CallTable::encode(const ServiceCall& call) {
    std::string row;
    putFixed<std::uint8_t>(row, 1);
    putString(row, call.service);
    putString(row, call.key);
    putFixed<std::uint64_t>(row, call.contentHash);
    putString(row, call.callerCorrelationId);
    putFixed<std::int64_t>(row, call.deadline.time_since_epoch().count());
    putFixed<std::int64_t>(row, call.answeredAt.time_since_epoch().count());
    if (call.reply) encodeMessage(*call.reply, row);
    return row;
}

std::optional<ServiceCall> CallTable::decode(std::string_view row) {
    WireReader in(row);
    if (in.fixed<std::uint8_t>() != 1) return std::nullopt;
    ServiceCall call;
    call.service = in.string();
    call.key = in.string();
    call.contentHash = in.fixed<std::uint64_t>();
    call.callerCorrelationId = in.string();
    call.deadline = WallTime(Milliseconds(in.fixed<std::int64_t>()));
    call.answeredAt = WallTime(Milliseconds(in.fixed<std::int64_t>()));
    if (!in.ok()) return std::nullopt;
    if (in.remaining() > 0) {
        auto reply = decodeMessage(Buffer::copyOf(in.take(in.remaining())));
        if (!reply) return std::nullopt;
        call.reply = std::move(*reply);
    }
    return call;
}

}  // namespace busbar
