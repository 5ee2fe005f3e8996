#include "bench/limit_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace busbar::bench {

using namespace std::string_view_literals;
namespace {

constexpr std::size_t kOutHighBytes = 1 << 20;
constexpr std::size_t kOutLowBytes = 256 << 10;
constexpr std::uint64_t kLazySyncNs =
    10'000'000;  // what nobody waits for is synced after this long
constexpr std::size_t kLazyBytes = 256 << 10;

void appendNumber(std::string& out, std::uint64_t number) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, static_cast<std::size_t>(end - digits));
}

std::uint32_t appendReceipt(std::string& out, std::string_view receipt) {
    const std::size_t before = out.size();
    out.append("RECEIPT\nreceipt-id:").append(receipt).append("\n\n\0"sv);
    return static_cast<std::uint32_t>(out.size() - before);
}

}  // namespace

/// Frames of one client. Transactions: what is between BEGIN and COMMIT is kept, names are not
/// looked at.
class LimitConnection {
  public:
    LimitConnection(LimitServer& server, int fd, std::uint32_t slot, std::uint32_t generation)
        : server_(server), stream_(fd), slot_(slot), generation_(generation) {}

    Stream& stream() { return stream_; }
    std::uint32_t slot() const { return slot_; }
    std::uint32_t generation() const { return generation_; }
    bool producer() const { return producer_; }
    bool alive() const { return alive_; }

    void read();
    void setHeld(bool held);
    bool flush();
    bool dirty = false;

  private:
    void onFrame(const Frame& frame);
    void onSend(const Frame& frame);
    void onAck(const Frame& frame);
    void onCommit(const Frame& frame);
    void addEffect(LimitQueue* queue, std::uint32_t bodyAt, std::size_t bodyBytes,
                   std::string_view receipt);
    void answer(std::string_view receipt);
    void setEvents();

    struct Staged {
        LimitQueue* queue;
        std::string body;
    };

    LimitServer& server_;
    Stream stream_;
    std::uint32_t slot_;
    std::uint32_t generation_;
    bool producer_ = false;
    bool alive_ = true;
    bool held_ = false;
    bool waitsToWrite_ = false;
    std::vector<Staged> stagedSends_;
    unsigned stagedAcks_ = 0;
};

void LimitConnection::read() {
    alive_ = stream_.read() && alive_;
    Frame frame;
    for (std::size_t used; (used = scanFrame(stream_.unread(), frame)) != 0;) {
        if (used == kBroken) {
            alive_ = false;
            return;
        }
        onFrame(frame);
        stream_.consume(used);
    }
}

void LimitConnection::onFrame(const Frame& frame) {
    using Kind = Frame::Kind;
    switch (frame.kind) {
        case Kind::send:
            return onSend(frame);
        case Kind::ack:
            return onAck(frame);
        case Kind::commit:
            return onCommit(frame);
        case Kind::abort:
            stagedSends_.clear();
            stagedAcks_ = 0;
            return answer(frame.receipt);
        case Kind::connect:
            stream_.out().append("CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0"sv);
            return server_.noteOutput(*this);
        case Kind::subscribe:
            server_.subscribe(*this, frame);
            return answer(frame.receipt);
        default:
            return answer(frame.receipt);
    }
}

void LimitConnection::onSend(const Frame& frame) {
    producer_ = true;
    LimitQueue& queue = server_.queue(frame.destination);
    if (!frame.transaction.empty()) {
        stagedSends_.push_back({&queue, std::string(frame.body)});
        return answer(frame.receipt);
    }
    if (!frame.persistent) {
        server_.deliver(queue, frame.body, frame.replyTo);
        return answer(frame.receipt);
    }
    const std::uint32_t at =
        server_.gathering_->append(LimitBatch::Kind::send, ++server_.number_, frame.body);
    addEffect(&queue, at, frame.body.size(), frame.receipt);
}

void LimitConnection::onAck(const Frame& frame) {
    if (!frame.transaction.empty()) {
        ++stagedAcks_;
        return;
    }
    std::uint64_t number = 0;
    std::from_chars(frame.id.data(), frame.id.data() + frame.id.size(), number);
    server_.gathering_->append(LimitBatch::Kind::ack, number, {});
    answer(frame.receipt);
}

void LimitConnection::onCommit(const Frame& frame) {
    LimitBatch& batch = *server_.gathering_;
    for (const Staged& staged : stagedSends_) {
        addEffect(staged.queue,
                  batch.append(LimitBatch::Kind::send, ++server_.number_, staged.body),
                  staged.body.size(), {});
    }
    for (; stagedAcks_ > 0; --stagedAcks_) batch.append(LimitBatch::Kind::ack, 0, {});
    stagedSends_.clear();
    batch.append(LimitBatch::Kind::commit, ++server_.number_, {});
    addEffect(nullptr, 0, 0, frame.receipt);
}

void LimitConnection::addEffect(LimitQueue* queue, std::uint32_t bodyAt, std::size_t bodyBytes,
                                std::string_view receipt) {
    LimitBatch& batch = *server_.gathering_;
    LimitEffect effect{slot_,
                       generation_,
                       static_cast<std::uint32_t>(batch.receipts.size()),
                       0,
                       queue,
                       bodyAt,
                       static_cast<std::uint32_t>(bodyBytes)};
    if (!receipt.empty()) effect.receiptBytes = appendReceipt(batch.receipts, receipt);
    batch.effects.push_back(effect);
}

void LimitConnection::answer(std::string_view receipt) {
    if (receipt.empty()) return;
    appendReceipt(stream_.out(), receipt);
    server_.noteOutput(*this);
}

void LimitConnection::setEvents() {
    const std::uint32_t events = (held_ ? 0U : static_cast<std::uint32_t>(EPOLLIN)) |
                                 (waitsToWrite_ ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    server_.poller_.change(stream_.fd(), this, events);
}

void LimitConnection::setHeld(bool held) {
    if (held == held_) return;
    held_ = held;
    setEvents();
}

bool LimitConnection::flush() {
    if (!stream_.flush()) return false;
    const bool more = stream_.unwritten() != 0;
    if (more != waitsToWrite_) {
        waitsToWrite_ = more;
        setEvents();
    }
    return true;
}

LimitServer::LimitServer(LimitLog& log) : log_(log) {}

LimitServer::~LimitServer() {
    if (listener_ >= 0) close(listener_);
}

Result<std::uint16_t> LimitServer::listen(std::uint16_t port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, generic, length) != 0 || ::listen(listener_, 4096) != 0 ||
        getsockname(listener_, generic, &length) != 0) {
        return Error{ErrorCode::unavailable, "cannot listen on port " + std::to_string(port)};
    }
    return ntohs(address.sin_port);
}

void LimitServer::accept() {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
        if (freeSlots_.empty()) {
            freeSlots_.push_back(static_cast<std::uint32_t>(connections_.size()));
            connections_.emplace_back();
        }
        const std::uint32_t slot = freeSlots_.back();
        freeSlots_.pop_back();
        connections_[slot] = std::make_unique<LimitConnection>(*this, fd, slot, ++generation_);
        poller_.add(fd, connections_[slot].get());
    }
}

void LimitServer::drop(LimitConnection& connection) {
    for (auto& [name, queue] : queues_)
        std::erase_if(queue.readers, [&](const auto& r) { return r.connection == &connection; });
    std::erase(dirty_, &connection);
    const std::uint32_t slot = connection.slot();
    freeSlots_.push_back(slot);
    connections_[slot].reset();
}

LimitQueue& LimitServer::queue(std::string_view name) {
    const auto found = queues_.find(name);
    if (found != queues_.end()) return found->second;
    LimitQueue& made = queues_[std::string(name)];
    made.name = name;
    made.topic = name.starts_with("/topic/");
    return made;
}

void LimitServer::subscribe(LimitConnection& connection, const Frame& frame) {
    LimitQueue& destination = queue(frame.destination);
    destination.readers.push_back({&connection, "MESSAGE\nsubscription:" + std::string(frame.id) +
                                                    "\ndestination:" + destination.name +
                                                    "\nmessage-id:"});
    std::deque<std::string> parked;
    parked.swap(destination.parked);
    for (const std::string& body : parked) deliver(destination, body, {});
}

void LimitServer::deliver(LimitQueue& queue, std::string_view body, std::string_view replyTo) {
    if (queue.readers.empty()) {
        if (!queue.topic) queue.parked.emplace_back(body);
        return;
    }
    const std::uint64_t number = ++number_;
    frameHead_.clear();
    appendNumber(frameHead_, number);
    frameHead_.append("\nack:");
    appendNumber(frameHead_, number);
    frameHead_.append("\ncontent-length:");
    appendNumber(frameHead_, body.size());
    if (!replyTo.empty()) frameHead_.append("\nreply-to:").append(replyTo);
    frameHead_.append("\n\n");
    const std::size_t count = queue.topic ? queue.readers.size() : 1;
    for (std::size_t i = 0; i < count; ++i) {
        if (++queue.turn >= queue.readers.size()) queue.turn = 0;
        const LimitQueue::Reader& reader = queue.readers[queue.turn];
        reader.connection->stream()
            .out()
            .append(reader.head)
            .append(frameHead_)
            .append(body)
            .push_back('\0');
        noteOutput(*reader.connection);
    }
}

void LimitServer::noteOutput(LimitConnection& connection) {
    if (connection.dirty) return;
    connection.dirty = true;
    dirty_.push_back(&connection);
}

void LimitServer::finishBatch() {
    std::unique_ptr<LimitBatch> batch = log_.takeDone();
    if (!batch) return;
    for (const LimitEffect& effect : batch->effects) {
        LimitConnection* connection = connections_[effect.connection].get();
        if (effect.receiptBytes != 0 && connection != nullptr &&
            connection->generation() == effect.generation) {
            connection->stream().out().append(batch->receipts, effect.receiptAt,
                                              effect.receiptBytes);
            noteOutput(*connection);
        }
        if (effect.queue != nullptr)
            deliver(*effect.queue,
                    std::string_view(batch->bytes).substr(effect.bodyAt, effect.bodyBytes), {});
    }
    batch->clear();
    spare_ = std::move(batch);
}

void LimitServer::startBatch() {
    if (gathering_->bytes.empty() || !log_.idle()) return;
    const std::uint64_t now = gathering_->effects.empty() ? nowNs() : 0;
    if (gathering_->effects.empty()) {
        if (gatheringSinceNs_ == 0) gatheringSinceNs_ = now;
        if (now < gatheringSinceNs_ + kLazySyncNs && gathering_->bytes.size() < kLazyBytes) return;
    }
    gatheringSinceNs_ = 0;
    log_.submit(std::move(gathering_));
    gathering_ = std::move(spare_);
}

void LimitServer::flush() {
    std::size_t most = 0;
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
        LimitConnection& connection = *dirty_[i];
        connection.dirty = false;
        if (!connection.flush()) connection.stream().out().clear();
        most = std::max(most, connection.stream().unwritten());
    }
    dirty_.clear();
    if (most > kOutHighBytes) holdProducers(true);
}

void LimitServer::holdProducers(bool hold) {
    if (hold == holding_) return;
    holding_ = hold;
    for (const auto& connection : connections_) {
        if (connection && (connection->producer() || !hold)) connection->setHeld(hold);
    }
}

void LimitServer::serve(int stopFd) {
    int eventTag = 0;
    int listenTag = 0;
    int stopTag = 0;
    poller_.add(log_.eventFd(), &eventTag);
    poller_.add(listener_, &listenTag);
    poller_.add(stopFd, &stopTag);
    while (true) {
        for (const epoll_event& event :
             poller_.wait(gathering_->bytes.empty() ? 1'000'000'000 : kLazySyncNs)) {
            if (event.data.ptr == &stopTag) return;
            if (event.data.ptr == &eventTag)
                finishBatch();
            else if (event.data.ptr == &listenTag)
                accept();
            else {
                auto& connection = *static_cast<LimitConnection*>(event.data.ptr);
                if ((event.events & EPOLLOUT) != 0) noteOutput(connection);
                if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) connection.read();
                if (!connection.alive()) drop(connection);
            }
        }
        startBatch();
        flush();
        if (holding_) {
            const bool low = std::all_of(
                connections_.begin(), connections_.end(),
                [](const auto& c) { return !c || c->stream().unwritten() < kOutLowBytes; });
            if (low) holdProducers(false);
        }
    }
}

}  // namespace busbar::bench
