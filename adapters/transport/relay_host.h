// An EngineHost for an engine inside of another one: passes everything on.
#pragma once

#include "adapters/transport/engine.h"

namespace busbar::transport {

/// Belongs to the outer engine and lives as long as its host. Derived ones change what they need
/// to.
class RelayHost : public EngineHost {
  public:
    explicit RelayHost(EngineHost& host) : host_(host) {}

    std::string& output() override { return host_.output(); }
    void outputShared(const Buffer& bytes) override { host_.outputShared(bytes); }
    void flush() override { host_.flush(); }
    std::size_t outputPending() const override { return host_.outputPending(); }
    std::size_t outputHighMark() const override { return host_.outputHighMark(); }
    void close(std::string_view why) override { host_.close(why); }
    void wakeAt(SteadyTime when) override { host_.wakeAt(when); }
    Now now() const override { return host_.now(); }
    BusPort& bus() override { return host_.bus(); }
    const std::string& remote() const override { return host_.remote(); }
    bool secure() const override { return host_.secure(); }
    void holdInput(SteadyTime until) override { host_.holdInput(until); }
    bool inputHeld() const override { return host_.inputHeld(); }
    const PeerCertificate* peerCertificate() const override { return host_.peerCertificate(); }
    void postToEngine(std::function<void()> task) override { host_.postToEngine(std::move(task)); }

  protected:
    EngineHost& host_;
};

}  // namespace busbar::transport
