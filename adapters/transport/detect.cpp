#include "adapters/transport/detect.h"

#include "adapters/transport/relay_host.h"

#include <algorithm>

namespace busbar {
namespace {

using transport::RelayHost;

enum class Fits { no, perhaps, yes };

Fits fits(const DetectedProtocol& protocol, std::string_view first) {
    if (first.size() <= protocol.offset) return Fits::perhaps;
    const auto rest = first.substr(protocol.offset);
    Fits best = Fits::no;
    for (const std::string& beginning : protocol.beginnings) {
        if (rest.starts_with(beginning)) return Fits::yes;
        if (beginning.starts_with(rest)) best = Fits::perhaps;
    }
    return best;
}

struct Detection {
    std::vector<DetectedProtocol> protocols;
    Milliseconds timeout;
};

/// The inner engine sees a host with its own mark; all else is the connection's.
class DetectingEngine final : public Engine, private RelayHost {
  public:
    DetectingEngine(EngineHost& host, std::shared_ptr<const Detection> detection)
        : RelayHost(host),
          detection_(std::move(detection)),
          until_(host.now().steady + detection_->timeout) {
        host_.wakeAt(until_);
    }

    void receive(std::string_view bytes) override {
        if (inner_) return inner_->receive(bytes);
        if (over_) return;
        first_ += bytes;
        bool perhaps = false;
        for (const auto& protocol : detection_->protocols) {
            const Fits answer = fits(protocol, first_);
            if (answer == Fits::yes) return begin(protocol);
            perhaps |= answer == Fits::perhaps;
        }
        if (!perhaps) give("its first bytes are of no protocol that is spoken here");
    }
    bool wantsInput() const override { return inner_ ? inner_->wantsInput() : !over_; }
    void onTick() override {
        if (inner_) return inner_->onTick();
        if (host_.now().steady < until_) return host_.wakeAt(until_);
        give("it did not begin in time");
    }
    void onOutputDrained() override {
        if (inner_) inner_->onOutputDrained();
    }
    bool onInputEnd() override { return inner_ && inner_->onInputEnd(); }
    void onDisconnect() override {
        if (inner_) inner_->onDisconnect();
    }
    void onDrain(std::string_view why) override { inner_ ? inner_->onDrain(why) : give(why); }

  private:
    std::size_t outputHighMark() const override {
        return std::max(highMark_, host_.outputHighMark());
    }
    void begin(const DetectedProtocol& protocol) {
        highMark_ = protocol.outputHighMark;
        inner_ = protocol.factory(*this);
        inner_->receive(std::exchange(first_, {}));
    }
    void give(std::string_view why) {
        over_ = true;
        host_.close(why);
    }

    std::shared_ptr<const Detection> detection_;
    SteadyTime until_;
    std::string first_;
    std::size_t highMark_ = 0;
    bool over_ = false;
    std::unique_ptr<Engine> inner_;
};

}  // namespace

EngineFactory makeDetecting(std::vector<DetectedProtocol> protocols, Milliseconds timeout) {
    auto detection = std::make_shared<const Detection>(Detection{std::move(protocols), timeout});
    return [detection](EngineHost& host) {
        return std::make_unique<DetectingEngine>(host, detection);
    };
}

}  // namespace busbar
