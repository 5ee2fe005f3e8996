// The parts that connections of the load generator play.
#pragma once

#include "bench/load_run.h"

#include <deque>
#include <string>
#include <vector>

namespace busbar::bench {

/// Sends numbered messages as fast as window, backlog and offered rate allow. As a requester the
/// replies, which come to a queue of its own, take the place of the receipts.
class Producer : public Client {
  public:
    Producer(RunState& run, std::unique_ptr<Stream> stream, unsigned number);
    bool done() const override { return exhausted() && (!answered() || confirmed_ == sent_); }
    std::uint64_t sent() const override { return sent_; }
    std::uint64_t due() const override;

  protected:
    void onConnected() override;
    void onReceipt(std::string_view receipt) override;
    void onMessage(const Frame& frame) override;
    void send() override;
    bool writeOwn() override;

  private:
    bool requester() const { return options().mode == LoadOptions::Mode::requestReply; }
    bool answered() const { return options().receipts || requester(); }
    /// Nothing more will be sent.
    bool exhausted() const;
    std::uint64_t allowed();
    std::uint64_t intendedNs(std::uint64_t sequence) const;
    void confirm(std::uint64_t sequence);

    unsigned number_;
    SendBlock block_;
    std::uint64_t quota_;
    std::uint64_t sent_ = 0;
    std::uint64_t confirmed_ = 0;
    std::vector<std::uint64_t> sentNs_;  ///< Ring by sequence; as long as the window.
};

/// Takes messages of one destination, checks and acknowledges them.
class Consumer : public Client {
  public:
    Consumer(RunState& run, std::unique_ptr<Stream> stream, unsigned number,
             std::string destination);

  protected:
    void onConnected() override;
    void onReceipt(std::string_view receipt) override;
    void onMessage(const Frame& frame) override;

  private:
    unsigned number_;
    std::string destination_;
    bool acks_;
    unsigned unacknowledged_ = 0;
};

/// Answers requests with a copy of their body.
class Responder : public Client {
  public:
    Responder(RunState& run, std::unique_ptr<Stream> stream, unsigned number);

  protected:
    void onConnected() override;
    void onReceipt(std::string_view) override { setReady(); }
    void onMessage(const Frame& frame) override;

  private:
    unsigned number_;
};

/// Moves messages from one queue to another, each in a transaction of its own, and waits for each
/// COMMIT's receipt.
class TransactionSession : public Client {
  public:
    TransactionSession(RunState& run, std::unique_ptr<Stream> stream);

  protected:
    void onConnected() override;
    void onReceipt(std::string_view receipt) override;
    void onMessage(const Frame& frame) override;

  private:
    struct Waiting {
        std::string ack;
        std::string body;
    };
    void move(std::string_view ack, std::string_view body);

    std::string sendHeaders_;
    std::deque<Waiting> waiting_;
    std::uint64_t transaction_ = 0;
    std::uint64_t begunNs_ = 0;  ///< 0: none is open.
};

}  // namespace busbar::bench
