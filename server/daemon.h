// The daemon: builds every part, hands each what it needs, runs, and takes it all down in order.
#pragma once

#include "server/configuration.h"

#include <memory>

namespace busbar {

/// Life: open -> run -> destroy, all on one thread. The only code that names everything.
class Daemon {
  public:
    /// Opens the data directory and recovers the journal (blocks; says on the log how far it is),
    /// makes the first user where there is none, loads contracts, listens, writes DATA/ports.json.
    /// On return clients may connect.
    static Result<std::unique_ptr<Daemon>> open(Configuration configuration);
    /// Loads what `open` would load without touching the data directory or a port: for --check.
    static Result<void> check(const Configuration& configuration);

    ~Daemon();

    /// The ports in use as one line of JSON: {"stomp":61613,"amqp":5672,"http":8080}.
    std::string portsJson() const;

    /// Serves until stop() or until the store fails. Returns the process's exit code.
    int run();

    /// Any thread, any number of times. Connections are told and get ten seconds to end; then run()
    /// returns 0.
    void stop();

    /// Takes from a configuration that was read again what can change while the bus runs: users
    /// (the file of them is read again too), permissions, and the options of queues that are
    /// configured otherwise than before. Where users cannot be read, nothing is changed. The log
    /// says what is in force, and what needs a restart. Any thread; blocks on the disk.
    void reload(Configuration next);

    /// Loads the certificates of all listeners again, or (without `always`) those whose files have
    /// changed: for new connections only. What cannot be loaded is said on the log, and the old one
    /// stays. Any thread; blocks on the disk.
    void reloadTls(bool always);
    /// How often reloadTls(false) is to be called; 0: there is no need to.
    Milliseconds tlsWatch() const;

  private:
    class Impl;
    explicit Daemon(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace busbar
