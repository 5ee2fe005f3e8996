// All that one step does durably, as one value that becomes durable as a whole or not at all.
#pragma once

#include "bus/base/clock.h"
#include "bus/base/ids.h"
#include "bus/message/message.h"

#include <string>
#include <variant>
#include <vector>

namespace busbar {

/// A message comes into being on one or more queues. It is stored once, however many queues it is
/// on.
/// Its large body, if it has one, is durable already (bus/store/body_store.h).
struct AddMessage {
    StoredId id;
    MessagePtr message;
    std::vector<QueueId> queues;  ///< at least one, each once
};

/// A message leaves one queue for good (acknowledged, expired, purged, dead-lettered away). When it
/// has left its last queue its bytes are garbage.
struct RemoveEntry {
    QueueId queue;
    StoredId id;
};

/// What is known of an entry beside its message, from now on: how often it was handed out, and when
/// it may be handed out (again).
struct SetEntry {
    QueueId queue;
    StoredId id;
    std::uint32_t deliveryCount = 0;
    WallTime deliverAt{};  ///< zero: as the message itself says
};

/// The small tables beside the messages. Part of the journal format: append, never reorder.
enum class Table : unsigned char {
    instance,       ///< one row: which store this is (message ids start with it)
    queues,         ///< QueueId -> definition
    subscriptions,  ///< durable subscriptions
    dedup,          ///< producer's dedup id -> first outcome
    calls,          ///< correlation id -> open or answered request-reply call
    users,          ///< name -> scrypt hash and roles
    failures,       ///< queue and message -> what went wrong with its deliveries so far
    producers,      ///< producer id -> last sequence number and its outcome
    prepared,       ///< XA transaction id -> what a prepared branch holds
    schedules,      ///< template's id -> a recurring schedule, and how far it has come
};

/// Sets the row `key` of a table. Keys up to 64 KiB, values up to 16 MiB.
struct PutRow {
    Table table;
    std::string key;
    std::string value;
};

struct EraseRow {
    Table table;
    std::string key;
};

using Operation = std::variant<AddMessage, RemoveEntry, SetEntry, PutRow, EraseRow>;

/// How far a unit must have come before it counts as confirmed.
enum class Durability : unsigned char {
    lazy,   ///< Nobody waits: it is written at once and synced with the next unit that is waited
            ///< for, or within the store's lazy sync delay (Store::Options of the implementation).
    os,     ///< Written to the operating system: survives a kill, not a power loss.
    fsync,  ///< Synced to the device: survives power loss.
};

/// Operations apply in their order. Empty units are allowed: they mark a place in the order (a
/// confirm that must wait for all that came before it).
struct UnitOfWork {
    std::vector<Operation> operations;
    Durability durability = Durability::fsync;
};

}  // namespace busbar
