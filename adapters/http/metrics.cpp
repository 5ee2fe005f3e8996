#include "adapters/http/metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

namespace busbar::http {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out;
}

class Page {
  public:
    void head(std::string_view name, std::string_view type, std::string_view help) {
        name_ = "busbar_" + std::string(name);
        text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " +
                 std::string(type) + "\n";
    }
    void line(std::uint64_t value, std::string_view label = {}, std::string_view of = {}) {
        text_ += name_;
        if (!label.empty()) text_ += "{" + std::string(label) + "=\"" + escaped(of) + "\"}";
        text_ += " " + std::to_string(value) + "\n";
    }
    /// Three digits behind the point.
    void realLine(double value, std::string_view queue) {
        char digits[64];
        const int length = std::snprintf(digits, sizeof digits, "%.3f", value);
        text_ += name_ + "{queue=\"" + escaped(queue) + "\"} " +
                 std::string(digits, static_cast<std::size_t>(std::max(0, length))) + "\n";
    }
    void single(std::string_view name, std::string_view type, std::string_view help,
                std::uint64_t value) {
        head(name, type, help);
        line(value);
    }
    std::string take() { return std::move(text_); }

  private:
    std::string name_, text_;
};

struct QueueMetric {
    std::string_view name, type, help;
    std::uint64_t QueuePicture::*value;
};

constexpr std::array<QueueMetric, 20> kQueueMetrics{{
    {"queue_messages", "gauge", "Messages in the queue, held and delayed ones included",
     &QueuePicture::depth},
    {"queue_held", "gauge", "Messages handed out and not settled", &QueuePicture::held},
    {"queue_delayed", "gauge", "Messages waiting for their time", &QueuePicture::delayed},
    {"queue_waiting", "gauge", "Messages that could be handed out now: the lag",
     &QueuePicture::waiting},
    {"queue_waiting_bytes", "gauge", "Size of those", &QueuePicture::waitingBytes},
    {"queue_bytes", "gauge", "Size of the queue's messages", &QueuePicture::bytes},
    {"queue_consumers", "gauge", "Consumers", &QueuePicture::consumers},
    {"queue_in_total", "counter", "Messages that arrived", &QueuePicture::in},
    {"queue_out_total", "counter", "Messages acknowledged", &QueuePicture::out},
    {"queue_expired_total", "counter", "Messages expired", &QueuePicture::expired},
    {"queue_dead_total", "counter", "Messages dead-lettered", &QueuePicture::dead},
    {"queue_purged_total", "counter", "Messages purged", &QueuePicture::purged},
    {"queue_moved_total", "counter", "Messages moved away", &QueuePicture::moved},
    {"queue_redelivered_total", "counter", "Hand-outs after the first", &QueuePicture::redelivered},
    {"queue_dropped_total", "counter",
     "Not taken by a transient subscription that was too far behind", &QueuePicture::dropped},
    {"queue_evicted_total", "counter", "Messages dropped as the oldest, to make room",
     &QueuePicture::evicted},
    {"queue_parked", "gauge", "Messages waiting for the consumer of their group",
     &QueuePicture::parked},
    {"queue_memory_bytes", "gauge", "Bytes of the queue's messages in memory",
     &QueuePicture::inMemory},
    {"queue_groups", "gauge", "Message groups with a consumer or waiting for one",
     &QueuePicture::groups},
    {"queue_blocked_sends", "gauge", "Sends waiting for room", &QueuePicture::blockedSends},
}};

/// The queues that get a label of their own, and the sum of the rest.
std::vector<QueuePicture> labelled(const Picture& picture, std::size_t labelsMax) {
    auto queues = picture.queues;
    if (queues.size() <= labelsMax) return queues;
    std::stable_sort(queues.begin(), queues.end(),
                     [](const auto& a, const auto& b) { return a.depth > b.depth; });
    QueuePicture other;
    other.name = "(other)";
    for (std::size_t i = labelsMax; i < queues.size(); ++i) {
        for (const auto& metric : kQueueMetrics) other.*metric.value += queues[i].*metric.value;
        other.oldestAgeMs = std::max(other.oldestAgeMs, queues[i].oldestAgeMs);
        other.inRate += queues[i].inRate;
        other.outRate += queues[i].outRate;
    }
    queues.resize(labelsMax);
    queues.push_back(std::move(other));
    return queues;
}

void writeReals(Page& page, const std::vector<QueuePicture>& queues, std::string_view name,
                std::string_view help, double QueuePicture::*value) {
    page.head(name, "gauge", help);
    for (const auto& queue : queues) page.realLine(queue.*value, queue.name);
}

void writeQueues(Page& page, const Picture& picture, std::size_t labelsMax) {
    const auto queues = labelled(picture, labelsMax);
    for (const auto& metric : kQueueMetrics) {
        page.head(metric.name, metric.type, metric.help);
        for (const auto& queue : queues) page.line(queue.*metric.value, "queue", queue.name);
    }
    page.head("queue_oldest_age_milliseconds", "gauge", "Age of the oldest message that waits");
    for (const auto& queue : queues)
        page.line(static_cast<std::uint64_t>(queue.oldestAgeMs), "queue", queue.name);
    writeReals(page, queues, "queue_in_rate", "Arrivals a second, over about a minute",
               &QueuePicture::inRate);
    writeReals(page, queues, "queue_out_rate", "Acknowledgements a second, over about a minute",
               &QueuePicture::outRate);
    writeReals(page, queues, "queue_drain_seconds",
               "Until nothing waits, at these rates; -1: it gets no shorter",
               &QueuePicture::drainSeconds);
}

void writeServices(Page& page, const Picture& picture) {
    struct Metric {
        std::string_view name, type, help;
        std::uint64_t ServicePicture::*value;
    };
    static constexpr std::array<Metric, 4> kMetrics{{
        {"service_open_calls", "gauge", "Calls waiting for their reply",
         &ServicePicture::openCalls},
        {"service_calls_total", "counter", "Calls taken", &ServicePicture::calls},
        {"service_replies_total", "counter", "Replies correlated", &ServicePicture::replies},
        {"service_timeouts_total", "counter", "Calls without a reply in time",
         &ServicePicture::timeouts},
    }};
    for (const auto& metric : kMetrics) {
        page.head(metric.name, metric.type, metric.help);
        for (const auto& service : picture.services)
            page.line(service.*metric.value, "service", service.name);
    }
}

void writeBus(Page& page, const Picture& picture) {
    page.single("queues", "gauge", "Queues, subscriptions and temporary queues",
                picture.queues.size());
    page.single("sessions", "gauge", "Open sessions", picture.sessions.size());
    page.single("messages_in_total", "counter", "Messages taken", picture.messagesIn);
    page.single("deliveries_total", "counter", "Messages handed out", picture.deliveries);
    page.single("duplicates_total", "counter", "Sends answered from the dedup memory",
                picture.duplicates);
    page.single("unroutable_total", "counter", "Topic messages without a subscriber",
                picture.unroutable);
    page.single("unauthorized_total", "counter", "Commands refused for want of a right",
                picture.unauthorized);
    page.single("units_pending", "gauge", "Units of work that are not durable yet",
                picture.unitsPending);
    page.single("schedules", "gauge", "Recurring schedules", picture.scheduleCount);
    page.single("memory_bytes", "gauge", "Bytes of messages in memory", picture.memory);
    page.single("memory_max_bytes", "gauge", "Limit of memory_bytes", picture.memoryMax);
}

void writeStore(Page& page, const StoreStats& store) {
    page.single("store_units_total", "counter", "Units of work written", store.units);
    page.single("store_written_bytes_total", "counter", "Bytes written", store.bytesWritten);
    page.single("store_syncs_total", "counter", "Syncs", store.syncs);
    page.single("store_last_sync_microseconds", "gauge", "How long the last sync took",
                store.lastSyncMicros);
    page.single("store_live_messages", "gauge", "Messages in the store", store.messagesLive);
    page.single("store_live_bytes", "gauge", "Live data", store.bytesLive);
    page.single("store_disk_bytes", "gauge", "Size on disk", store.bytesOnDisk);
    page.single("store_full", "gauge", "1: no room for new messages", store.full ? 1 : 0);
    page.single("store_failed", "gauge", "1: the store takes nothing until reopened",
                store.failed ? 1 : 0);
}

}  // namespace

std::string prometheusText(const Picture& picture, const StoreStats& store, std::size_t labelsMax) {
    Page page;
    writeBus(page, picture);
    writeStore(page, store);
    writeServices(page, picture);
    writeQueues(page, picture, labelsMax);
    return page.take();
}

std::string tlsMetrics(const std::vector<TlsNumbers>& listeners) {
    if (listeners.empty()) return {};
    Page page;
    page.head("tls_reloads_total", "counter", "Times that a renewed certificate was loaded");
    for (const auto& [name, state] : listeners) page.line(state.reloads, "listener", name);
    page.head("tls_reload_failures_total", "counter",
              "Times that the files of a certificate could not be loaded, and the old one stayed");
    for (const auto& [name, state] : listeners) page.line(state.failures, "listener", name);
    page.head("tls_certificate_expiry_seconds", "gauge",
              "Until when the certificate in force is valid, since 1970");
    for (const auto& [name, state] : listeners)
        page.line(static_cast<std::uint64_t>(std::max<std::int64_t>(0, state.expiresAt)),
                  "listener", name);
    return page.take();
}

}  // namespace busbar::http
