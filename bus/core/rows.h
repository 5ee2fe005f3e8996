// The core's rows in the store's tables: definitions of queues and subscriptions, and the instance.
// docs/formats/journal.md, "Tables", is the grammar.
#pragma once

#include "bus/core/prepared.h"
#include "bus/core/queue.h"
#include "bus/store/unit_of_work.h"

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace busbar::rows {

/// PutRow of a queue's or durable subscription's definition.
Operation definition(const Queue& queue);
Operation eraseDefinition(const Queue& queue);

/// What a row says. Nothing where it makes no sense.
struct Definition {
    QueueId id;
    std::string name;
    QueueOptions options;
    std::unique_ptr<SubscriptionInfo> subscription;
};
std::optional<Definition> readDefinition(Table table, std::string_view key, std::string_view value);

std::string idKey(QueueId id);
std::string idKey(StoredId id);
std::optional<std::uint64_t> readIdKey(std::string_view key);

/// Of what is kept with one message on one queue.
std::string entryKey(QueueId queue, StoredId message);
std::string failures(const std::vector<Failure>& failures);
struct KnownFailures {
    QueueId queue;
    StoredId message;
    std::vector<Failure> failures;
};
std::optional<KnownFailures> readFailures(std::string_view key, std::string_view value);

std::string groupKey(QueueId queue, std::string_view group);

std::string branchKey(const BranchId& id);
/// A branch that is prepared with what it holds, or only what an operator has decided of it.
std::string branch(const PreparedBranch& branch);
std::optional<PreparedBranch> readBranch(std::string_view key, std::string_view value);

/// The name of the queue of templates: none that anybody could use.
inline constexpr std::string_view kTemplates = "\x01schedules";
inline constexpr std::string_view kInstanceName = "name";       ///< what message ids start with
inline constexpr std::string_view kIdsReserved = "ids";         ///< no id from here on was given
inline constexpr std::string_view kGroupPrefix = "group:";      ///< queue id, name -> its state
inline constexpr std::string_view kLinkPrefix = "link:";        ///< LinkMemory's
inline constexpr std::string_view kServicePrefix = "service:";  ///< one row a service, empty

}  // namespace busbar::rows
