// From producers: messages whose bodies are too large for memory. They go to the store while they
// arrive, and no more is read than the disk takes.
#include "adapters/amqp/connection.h"
#include "adapters/transport/pace.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace busbar::amqp {

/// Nothing is read then: not of this message, and not of others either.
bool Connection::diskIsBehind() const {
    if (filling_ == 0) return false;
    const auto found = links_.find(filling_);
    if (found == links_.end() || !found->second->inflow) return false;
    const auto& body = found->second->inflow->body;
    return body && !body->wantsMore() && !body->failure();
}

/// Looks at what was gathered: a large body goes on its way. Looks seldom enough that it costs
/// little, and often enough that no more than the limit is gathered of several sections. False
/// where the link was ended.
bool Connection::beginInflow(Link& link) {
    const std::size_t have = link.gathered.size();
    const std::size_t over = options_.largeBodyBytes;
    const auto look = LargeMessage::look(link.gathered, over);
    link.lookAgain = look == LargeMessage::Look::never
                         ? std::numeric_limits<std::size_t>::max()
                         : (have <= over ? std::min(2 * have, over + 1) : have + have / 4);
    if (look != LargeMessage::Look::large) return true;
    auto inflow = std::make_unique<Inflow>(LargeMessage::Limits{options_.largeBytesMax});
    std::string_view rest = link.gathered;
    while (!inflow->message.atBody() && !inflow->refused && !rest.empty()) {
        if (auto head = inflow->message.take(rest); !head) inflow->refused = head.error();
    }
    if (inflow->refused && inflow->refused->code == ErrorCode::tooLarge) {
        detach(link, *inflow->refused);
        return false;
    }
    if (!inflow->refused) {
        const auto message =
            toBus(inflow->message.soFar(), link.target, mapping(), host_.now().wall);
        if (!message)
            inflow->refused = message.error();
        else if (message->message->bodyKind == BodyKind::amqp) {  // kept as it comes
            link.lookAgain = std::numeric_limits<std::size_t>::max();
            return true;
        }
    }
    if (auto may = mayHold(3 * kBodyPiece); !may) {
        detach(link, may.error());
        return false;
    }
    if (!inflow->refused) {
        inflow->body = std::make_unique<BodyUpload>(*host_.bus().bodies(), host_.bus().executor(),
                                                    [this, id = link.id] { onInflowProgress(id); });
    }
    const std::string gathered = std::exchange(link.gathered, {});
    link.lookAgain = 0;
    link.inflow = std::move(inflow);
    return flowIn(link, std::string_view(gathered).substr(gathered.size() - rest.size()));
}

bool Connection::flowIn(Link& link, pn_delivery_t* delivery) {
    std::string bytes(pn_delivery_pending(delivery), '\0');
    if (!bytes.empty()) pn_link_recv(link.pn, bytes.data(), bytes.size());
    return flowIn(link, std::string_view(bytes));
}

/// A message that cannot be taken is refused at its end; one that is too large ends the link, as
/// smaller ones do.
bool Connection::flowIn(Link& link, std::string_view bytes) {
    Inflow& in = *link.inflow;
    filling_ = link.id;
    while (!bytes.empty() && !in.refused) {
        const auto body = in.message.take(bytes);
        if (!body && body.error().code == ErrorCode::tooLarge) {
            detach(link, body.error());
            return false;
        }
        if (!body)
            in.refused = body.error();
        else
            in.body->append(*body);
    }
    if (!in.refused) in.refused = in.body->failure();
    if (in.refused) in.body.reset();
    return true;
}

/// The disk takes more, or nothing any more.
void Connection::onInflowProgress(LinkId id) {
    Link* link = find(id);
    if (link && link->inflow && link->inflow->body) {
        Inflow& in = *link->inflow;
        in.refused = in.body->failure();
        if (in.refused) in.body.reset();
    }
    pump();
}

/// All of it has come: it is a message when its body is durable.
void Connection::endInflow(Link& link, pn_delivery_t* delivery) {
    const auto in = std::exchange(link.inflow, nullptr);
    filling_ = 0;
    keepPace(host_, seat_, 1);
    auto around = in->refused ? Result<Buffer>(*in->refused) : in->message.withoutBody();
    auto incoming = around ? toBus(*around, link.target, mapping(), host_.now().wall)
                           : Result<Incoming>(around.error());
    if (!incoming) {
        reject(delivery, incoming.error());
        return topUp(link);
    }
    incoming->message->body = {};
    upload_ = std::make_unique<Upload>();
    upload_->arrival = {link.id, delivery, around->size(), std::move(*incoming),
                        readState(pn_delivery_remote(delivery))};
    upload_->body = std::move(in->body);
    upload_->body->finish([this](Result<LargeBodyPtr> done) {
        onUploaded(std::move(done));
        pump();
    });
}

void Connection::onUploaded(Result<LargeBodyPtr> body) {
    const auto upload = std::exchange(upload_, nullptr);
    Link* link = upload ? find(upload->arrival.link) : nullptr;
    if (!link) return;  // and its deliveries are gone with it
    if (!body) {
        reject(upload->arrival.delivery, body.error());
        return topUp(*link);
    }
    upload->arrival.incoming.message->large = std::move(*body);
    submit(*link, std::move(upload->arrival));
}

}  // namespace busbar::amqp
