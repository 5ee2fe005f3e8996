// SEND.
#include "adapters/stomp/connection.h"
#include "adapters/transport/pace.h"

namespace busbar::stomp {
namespace {

constexpr std::size_t kProducerMax = 255;

/// A producer that numbers what it sends can send it again without harm.
Result<void> readProducer(const Frame& frame, Send& command) {
    const auto* producer = frame.find("busbar-producer");
    const auto* sequence = frame.find("busbar-sequence");
    if (!producer && !sequence) return {};
    if (!producer || !sequence || producer->empty() || producer->size() > kProducerMax) {
        return {ErrorCode::invalidArgument, "busbar-producer (a name of up to " +
                                                std::to_string(kProducerMax) +
                                                " bytes) and busbar-sequence go together"};
    }
    if (frame.find("transaction")) {
        return {ErrorCode::unsupported,
                "busbar-sequence within a transaction: use the dedup-id header"};
    }
    const auto number = toNumber("busbar-sequence", *sequence, ~std::uint64_t{0});
    if (!number) return number.error();
    if (*number == 0) {
        return {ErrorCode::invalidArgument, "busbar-sequence is 0: numbers begin with 1"};
    }
    command.producer = std::string(*producer);
    command.sequence = *number;
    return {};
}

}  // namespace

void Connection::send(Frame& frame) {
    keepPace(host_, seat_, 1);
    Send command;
    if (auto read = readProducer(frame, command); !read) return refuse(frame, read.error());
    auto message = toMessage(frame, *this, host_.now().wall);
    if (!message) return refuse(frame, message.error());
    if (frame.streamed) return beginUpload(frame, std::move(command), std::move(*message));
    if (frame.find("transaction")) {
        LocalTransaction* transaction = findTransaction(frame);
        if (!transaction) return;
        if (auto added = transaction->send(std::move(*message)); !added)
            return refuse(frame, added.error());
        return receiptNow(frame);
    }
    command.message = std::move(*message);
    submit(std::move(command), frame.get("receipt"));
}

void Connection::submit(Send command, std::string_view receipt) {
    command.session = session_;
    Pending& pending = expect(Pending::Kind::send, receipt, command.request);
    pending.bytes = command.message->body.size() + 256;
    pending.what = "SEND";
    ++sendsInFlight_;
    bytesInFlight_ += pending.bytes;
    host_.bus().submit(std::move(command));
}

// ---- bodies that are too large for memory

void Connection::beginUpload(Frame& frame, Send command, std::shared_ptr<Message> message) {
    if (frame.find("transaction") && !findTransaction(frame)) return;
    command.message = std::move(message);
    upload_ = std::make_unique<Upload>();
    upload_->command = std::move(command);
    upload_->receipt = frame.get("receipt");
    upload_->transaction = frame.get("transaction");
    upload_->body = std::make_unique<BodyUpload>(*host_.bus().bodies(), host_.bus().executor(),
                                                 [this] { onUploadProgress(); });
}

/// True where the frame is whole; it is sent when its body is durable.
bool Connection::takePart(std::string_view& input) {
    std::string_view part;
    const auto whole = parser_.nextPart(input, part);
    if (!whole) {
        fail(whole.error(), upload_->receipt, "SEND");
        return false;
    }
    upload_->body->append(part);
    if (!*whole) return false;
    upload_->whole = true;
    upload_->body->finish([this](Result<LargeBodyPtr> body) { onUploaded(std::move(body)); });
    return true;
}

void Connection::onUploadProgress() {
    if (!upload_) return;
    if (const auto failure = upload_->body->failure()) fail(*failure, upload_->receipt, "SEND");
    host_.flush();
}

void Connection::onUploaded(Result<LargeBodyPtr> body) {
    const auto upload = std::exchange(upload_, nullptr);
    if (state_ != State::connected) return;
    if (!body) {
        fail(body.error(), upload->receipt, "SEND");
        return host_.flush();
    }
    upload->command.message->large = std::move(*body);
    if (upload->transaction.empty()) {
        submit(std::move(upload->command), upload->receipt);
    } else if (const auto found = transactions_.find(upload->transaction);
               found == transactions_.end()) {
        fail({ErrorCode::transactionUnknown, "the transaction has ended"}, upload->receipt, "SEND");
    } else if (auto added = found->second.send(std::move(upload->command.message)); !added) {
        fail(added.error(), upload->receipt, "SEND");
    } else if (!upload->receipt.empty()) {
        sendReceipt(upload->receipt);
    }
    process(std::exchange(held_, {}));
    host_.flush();
}

}  // namespace busbar::stomp
