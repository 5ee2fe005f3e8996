// The answers of several commands that one request asked for.
#pragma once

#include "adapters/http/errors.h"
#include "adapters/http/json.h"
#include "adapters/transport/http.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace busbar::http {

/// Keeps them until the last one is there, then answers 200 with {"results":[{"status":...},...]}
/// in their order; or 403, where the user had no right to any of it. Shared by the commands'
/// handlers; of one loop.
class Results {
  public:
    Results(ResponderPtr responder, std::size_t count)
        : responder_(std::move(responder)), rows_(count), open_(count) {
        if (open_ == 0) answer();
    }

    /// Once for each: its status, behind what `write` says of it in its object.
    template <class Write>
    void done(std::size_t at, unsigned status, Write write) {
        add(at, [&](JsonWriter& json) {
            write(json);
            json.key("status").number(status);
        });
    }
    template <class Write>
    void refused(std::size_t at, const Error& error, Write write) {
        if (error.code == ErrorCode::notAuthorized && ++denied_ == rows_.size())
            return responder_->send(errorResponse(error));
        add(at, [&](JsonWriter& json) {
            write(json);
            json.key("status").number(statusOf(error.code));
            writeError(json, error);
        });
    }
    void refused(std::size_t at, const Error& error) {
        refused(at, error, [](JsonWriter&) {});
    }

  private:
    template <class Write>
    void add(std::size_t at, Write write) {
        JsonWriter json;
        json.beginObject();
        write(json);
        rows_[at] = json.endObject().take();
        if (--open_ == 0) answer();
    }
    void answer() {
        JsonWriter json;
        json.beginObject().key("results").beginArray();
        for (const auto& row : rows_) json.raw(row);
        json.endArray().endObject();
        responder_->send(Response::json(200, json.take()));
    }

    const ResponderPtr responder_;
    std::vector<std::string> rows_;
    std::size_t open_;
    std::size_t denied_ = 0;
};

}  // namespace busbar::http
