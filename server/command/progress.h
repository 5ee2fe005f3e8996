// How far a long command is, on a terminal.
#pragma once

#include "bus/base/clock.h"
#include "server/command/command.h"

#include <chrono>
#include <ostream>

namespace busbar::command {

/// Writes one line over itself on standard error, at most ten times a second; nothing where that is
/// no terminal. Removes the line in the end. One thread.
class Progress {
  public:
    explicit Progress(Surroundings& surroundings)
        : err_(surroundings.err), shown_(surroundings.errIsTerminal) {}
    ~Progress() {
        if (drawn_) err_ << "\r\x1b[K" << std::flush;
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    template <class Text>
    void show(const Text& text) {
        const auto now = std::chrono::steady_clock::now();
        if (!shown_ || (drawn_ && now - last_ < std::chrono::milliseconds(100))) return;
        last_ = now;
        drawn_ = true;
        err_ << "\r\x1b[K" << text() << std::flush;
    }

  private:
    std::ostream& err_;
    const bool shown_;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point last_{};
};

}  // namespace busbar::command
