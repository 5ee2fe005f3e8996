// Attach by a receiver: consumers, browsers, durable subscriptions and their end.
#include "adapters/amqp/address.h"
#include "adapters/amqp/connection.h"
#include "bus/base/id_list.h"

#include <utility>

namespace busbar::amqp {
namespace {

constexpr std::size_t kProcessedMax = 100'000;
constexpr std::size_t kPropertiesBytesMax = 1u << 20;
constexpr std::string_view kVolatile = "|volatile";

// Registered filters, by name and by number; keys are the client's to choose.
constexpr std::string_view kSelectorFilter = "apache.org:selector-filter:string";
constexpr std::uint64_t kSelectorCode = 0x0000'468c'0000'0004;
constexpr std::string_view kNoLocalFilter = "apache.org:no-local-filter:list";
constexpr std::uint64_t kNoLocalCode = 0x0000'468c'0000'0003;

bool isFilter(const Item& value, std::string_view symbol, std::uint64_t code) {
    if (value.type != Type::described) return false;
    const Item& descriptor = value.at(0);
    return descriptor.isText() ? descriptor.bytes == symbol
                               : descriptor.type == Type::ulongType && descriptor.bits == code;
}

}  // namespace

/// JMS clients give the links of one shared subscription the names NAME, NAME|2, NAME|global, ...
std::string Connection::subscriptionName(std::string_view linkName, bool shared) const {
    if (shared) {
        const std::string_view base = linkName.substr(0, linkName.find('|'));
        const bool global = clientId_.empty() || linkName.find("|global") != linkName.npos;
        return global ? std::string(base) : clientId_ + ":" + std::string(base);
    }
    // Without a client id of its own, the container's name keeps the subscription apart.
    return clientId_.empty() ? container_ + ":" + std::string(linkName) : std::string(linkName);
}

void Connection::attachConsumer(pn_link_t* pn, const std::optional<Unsettled>& theirs) {
    pn_terminus_t* remote = pn_link_remote_source(pn);
    pn_terminus_copy(pn_link_target(pn), pn_link_remote_target(pn));
    const bool nowhere =
        pn_terminus_get_type(remote) == PN_UNSPECIFIED ||
        (view(pn_terminus_get_address(remote)).empty() && !pn_terminus_is_dynamic(remote));
    if (nowhere) return attachUnsubscriber(*addLink(pn, Link::Role::unsubscriber));
    Link* link = addLink(pn, Link::Role::consumer);
    auto command = readSource(*link);
    if (!command) {
        refuse(pn, command.error());
        return removeLink(link->id);
    }
    if (pn_terminus_get_distribution_mode(remote) == PN_DIST_MODE_COPY &&
        !command->source.isTopic())
        return attachBrowser(*link, *command);
    if (theirs && !link->settled) readInHands(*link, *command, *theirs);
    if (!pn_terminus_is_dynamic(remote)) return subscribe(*link, std::move(*command));
    makeTemporary(*link, remote, [this, command = std::move(*command)](Link& made) mutable {
        command.source = *made.temporary;
        subscribe(made, std::move(command));
    });
}

/// What the client asks for, and (into our own source) what it gets.
Result<Subscribe> Connection::readSource(Link& link) {
    pn_terminus_t* remote = pn_link_remote_source(link.pn);
    pn_terminus_t* ours = pn_link_source(link.pn);
    Subscribe command;
    command.session = session_;
    command.consumer = ConsumerId(link.id);
    command.windowed = false;
    pn_terminus_copy(ours, remote);
    if (!pn_terminus_is_dynamic(remote)) {
        auto source = toDestination(view(pn_terminus_get_address(remote)), kindOf(remote));
        if (!source) return source.error();
        command.source = std::move(*source);
    }
    std::string echo;
    readFilter(read(pn_terminus_filter(remote)).item, command, echo);
    if (echo.empty())
        pn_data_clear(pn_terminus_filter(ours));
    else
        assign(pn_terminus_filter(ours), echo);
    if (command.source.isTopic()) {
        if (auto read = readSubscription(link, command); !read) return read.error();
    }
    if (auto read = readLinkProperties(link, command); !read) return read.error();
    link.settled = pn_link_remote_snd_settle_mode(link.pn) == PN_SND_SETTLED;
    if (link.settled) command.ackMode = AckMode::none;
    return command;
}

/// AMQP 1.0 section 3.5.8: what is not echoed is not applied.
void Connection::readFilter(const Item& filter, Subscribe& command, std::string& echo) {
    if (filter.type != Type::map) return;
    Compound map(echo, Compound::Kind::map);
    std::size_t elements = 0;
    for (std::size_t i = 0; i + 1 < filter.items.size(); i += 2) {
        const Item& key = filter.items[i];
        const Item& value = filter.items[i + 1];
        if (!key.isText()) continue;
        const bool named = key.bytes == "selector" || key.bytes == "jms-selector";
        if (isFilter(value, kSelectorFilter, kSelectorCode) ||
            (named && value.plain().type == Type::string)) {
            command.selector = value.plain().bytes;
            putSymbol(echo, key.bytes);
            putDescriptor(echo, kSelectorFilter);
            putString(echo, value.plain().bytes);
            elements += 2;
        } else if (isFilter(value, kNoLocalFilter, kNoLocalCode) || key.bytes == "no-local") {
            command.noLocal = true;
            putSymbol(echo, key.bytes);
            putDescriptor(echo, kNoLocalFilter);
            Compound(echo, Compound::Kind::list).end(0);
            elements += 2;
        }
    }
    map.end(elements);
    if (elements == 0) echo.clear();
}

/// Durable and shared subscriptions, as JMS clients ask for them.
Result<void> Connection::readSubscription(Link& link, Subscribe& command) {
    pn_terminus_t* remote = pn_link_remote_source(link.pn);
    const bool durable = pn_terminus_get_durability(remote) != PN_NONDURABLE ||
                         pn_terminus_get_expiry_policy(remote) == PN_EXPIRE_NEVER;
    link.shared = names(read(pn_terminus_capabilities(remote)).item, "shared");
    if (!durable && !link.shared) return {};
    if (command.source.isTemporary() || pn_terminus_is_dynamic(remote)) {
        return {ErrorCode::invalidArgument, "a temporary topic has no durable subscriptions"};
    }
    link.durableName = subscriptionName(view(pn_link_name(link.pn)), link.shared);
    link.isVolatile = !durable;
    if (link.isVolatile) link.durableName += kVolatile;
    link.shared = link.shared || clientId_.empty();
    command.durableName = link.durableName;
    command.shared = link.shared;
    return {};
}

/// Beyond the standard: priority, exclusive, busbar-lease, busbar-exactly-once, busbar-processed.
Result<void> Connection::readLinkProperties(Link& link, Subscribe& command) {
    const Held properties = read(pn_link_remote_properties(link.pn), kPropertiesBytesMax);
    if (const Item& priority = properties.item.find("priority"); priority.isInteger())
        command.priority = static_cast<std::int32_t>(priority.number());
    command.exclusive = properties.item.find("exclusive").isTrue();
    if (const Item& lease = properties.item.find("busbar-lease"); lease.isInteger()) {
        command.lease = Milliseconds(lease.number());
    } else if (lease.type != Type::null) {
        return {ErrorCode::invalidArgument, "'busbar-lease' is a number of milliseconds"};
    }
    command.exactlyOnce = properties.item.find("busbar-exactly-once").isTrue();
    link.showsStored = command.exactlyOnce;
    const Item& processed = properties.item.find("busbar-processed");
    if (!processed.isText()) return {};
    if (!command.exactlyOnce) {
        return {ErrorCode::invalidArgument, "'busbar-processed' needs 'busbar-exactly-once'"};
    }
    auto ids = parseIdList(processed.bytes, kProcessedMax);
    if (!ids) return ids.error();
    command.processed = std::move(*ids);
    return {};
}

void Connection::subscribe(Link& link, Subscribe command) {
    command.request = expect([this, id = link.id](Completed& answer) {
        Link* made = find(id);
        if (!made) return;
        if (!answer.error) return openConsumer(*made, answer.value);
        // A node of its own goes with it; there is no consumer to end.
        if (made->temporary) host_.bus().submit(DeleteTemporary{session_, {}, *made->temporary});
        refuse(made->pn, *answer.error);
        removeLink(id);
    });
    host_.bus().submit(std::move(command));
}

void Connection::openConsumer(Link& link, const std::string& inHands) {
    if (link.resumes) answerInHands(link, inHands);
    pn_link_open(link.pn);
    if (link.resumes) {
        write();
        link.suspended = filter_.takeWasCut() || link.suspended;
    }
    link.attached = true;
    onFlow(link);
}

/// AMQP 1.0 section 3.5.6: a copy is looked at, nothing is taken.
void Connection::attachBrowser(Link& link, Subscribe& command) {
    link.role = Link::Role::browser;
    link.queue = command.source.name;
    link.selector = command.selector;
    openConsumer(link, {});
}

/// A link without a source names a durable subscription; closing it deletes that one. What JMS
/// clients do to unsubscribe. Looking at its queue says whether it is there.
void Connection::attachUnsubscriber(Link& link) {
    const std::string linkName(view(pn_link_name(link.pn)));
    const bool global = linkName.find("|global") != linkName.npos;
    link.shared = clientId_.empty() || global;
    link.durableName = subscriptionName(linkName, global);
    Browse command;
    command.session = session_;
    command.queue = (link.shared ? std::string() : clientId_) + "." + link.durableName;
    command.max = 1;
    command.request = expect([this, id = link.id](Completed& answer) {
        Link* named = find(id);
        if (!named) return;
        if (answer.error) {
            refuse(named->pn, *answer.error);
            return removeLink(id);
        }
        pn_terminus_t* source = pn_link_source(named->pn);
        pn_terminus_set_type(source, PN_SOURCE);
        pn_terminus_set_address(source, named->durableName.c_str());
        pn_terminus_set_durability(source, PN_DELIVERIES);
        pn_terminus_set_expiry_policy(source, PN_EXPIRE_NEVER);
        pn_link_open(named->pn);
        named->attached = true;
    });
    host_.bus().submit(std::move(command));
}

}  // namespace busbar::amqp
