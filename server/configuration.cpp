#include "server/configuration.h"

#include "bus/base/xml_text.h"
#include "bus/core/topic_pattern.h"
#include "server/settings.h"
#include "xml-schemas/xml.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace busbar {
namespace {

constexpr std::string_view kNamespace = "urn:busbar:configuration";
constexpr std::uint64_t kFileBytesMax = 4u << 20;

const Setting* findSetting(std::string_view key) {
    for (const auto& setting : allSettings()) {
        if (setting.key == key) return &setting;
    }
    return nullptr;
}

/// Edits that make one text from the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

std::string nearKeys(std::string_view key) {
    std::vector<std::pair<std::size_t, std::string>> near;
    for (const auto& setting : allSettings())
        near.emplace_back(distance(key.substr(0, 64), setting.key), setting.key);
    std::stable_sort(near.begin(), near.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string out;
    for (std::size_t i = 0; i < 3; ++i) out += (i == 0 ? "" : ", ") + near[i].second;
    return out;
}

std::string pathFrom(const std::string& directory, const std::string& path) {
    if (path.empty() || path.front() == '/' || directory.empty()) return path;
    return directory + "/" + path;
}

/// Puts a validated document into a configuration.
class Reader {
  public:
    Reader(std::string name, std::string directory, Configuration& into)
        : name_(std::move(name)), directory_(std::move(directory)), into_(into) {}

    Result<void> read(const xml::Element& root) {
        if (auto done = readValues(root, ""); !done) return done;
        for (const auto& section : root.children) {
            if (section.name == "permissions")
                into_.permissions.clear();  // instead of the defaults
            if (isList(section.name)) continue;
            if (auto done = readValues(section, section.name + "."); !done) return done;
        }
        for (const auto& section :
             root.children) {  // queues start from the defaults, which may stand after them
            for (const auto& item : section.children) {
                if (auto done = readItem(item); !done) return done;
            }
        }
        return {};
    }

  private:
    static bool isList(std::string_view section) {
        return section == "queues" || section == "services" || section == "users" ||
               section == "permissions";
    }

    Error at(const xml::Element& element, const std::string& text) const {
        return {ErrorCode::invalidArgument, name_ + ": line " + std::to_string(element.line) +
                                                ", column " + std::to_string(element.column) +
                                                ": " + text};
    }

    Result<void> readValues(const xml::Element& element, const std::string& prefix) {
        for (const auto& [name, value] : element.attributes) {
            const auto* setting = findSetting(prefix + name);
            if (setting == nullptr) return at(element, "'" + name + "' is not known");
            if (auto set = setting->set(into_, value); !set)
                return at(element, name + ": " + set.error().text);
        }
        return {};
    }

    Result<void> readItem(const xml::Element& item) {
        if (item.name == "queue") return readQueue(item);
        if (item.name == "service") return readService(item);
        if (item.name == "allow") return readPermission(item);
        if (item.name == "certificate") return readCertificate(item);
        UserConfiguration user{*item.find("name"), *item.find("password-hash"), {}};
        std::istringstream roles(*item.find("roles"));
        for (std::string role; roles >> role;) user.roles.push_back(role);
        into_.users.push_back(std::move(user));
        return {};
    }

    Result<void> readCertificate(const xml::Element& item) {
        const auto* subject = item.find("subject");
        const auto* name = item.find("name");
        if ((subject == nullptr) == (name == nullptr))
            return at(item, "certificate: either 'subject' or 'name' is expected");
        into_.certificateUsers.rules.push_back(
            {subject ? *subject : "", name ? *name : "", *item.find("user")});
        return {};
    }

    /// One with `name` is there from the start; one with `match` is for queues to come.
    Result<void> readQueue(const xml::Element& item) {
        const auto* exact = item.find("name");
        const auto* pattern = item.find("match");
        if ((exact == nullptr) == (pattern == nullptr))
            return at(item, "queue: either 'name' or 'match' is expected");
        QueueConfiguration queue{exact ? *exact : *pattern, into_.queueDefaults};
        if (auto checked = checkDestinationName(queue.name); !checked)
            return at(item, checked.error().text);
        for (const auto& [name, value] : item.attributes) {
            if (name == "name" || name == "match") continue;
            if (auto set = setQueueOption(queue.options, name, value); !set)
                return at(item, name + ": " + set.error().text);
        }
        (exact ? into_.queues : into_.queuePatterns).push_back(std::move(queue));
        return {};
    }

    Result<void> readPermission(const xml::Element& item) {
        const auto* role = item.find("role");
        const auto* user = item.find("user");
        if ((role == nullptr) == (user == nullptr))
            return at(item, "allow: either 'role' or 'user' is expected");
        const auto* queues = item.find("queues");
        const auto* topics = item.find("topics");
        if ((queues == nullptr) == (topics == nullptr))
            return at(item, "allow: either 'queues' or 'topics' is expected");
        PermissionRule rule;
        (role ? rule.role : rule.user) = role ? *role : *user;
        rule.topics = topics != nullptr;
        rule.pattern = queues ? *queues : *topics;
        if (auto checked = checkDestinationName(rule.pattern); !checked)
            return at(item, checked.error().text);
        std::istringstream rights(*item.find("rights"));
        for (std::string word; rights >> word;) rule.rights.add(rightsNamed(word));
        into_.permissions.push_back(std::move(rule));
        return {};
    }

    /// The schema knows the words.
    static Rights rightsNamed(std::string_view word) {
        for (const Right right : kEveryRight) {
            if (word == busbar::name(right)) return {right};
        }
        return Rights::all();
    }

    Result<void> readService(const xml::Element& item) {
        ServiceConfiguration service;
        service.name = *item.find("name");
        service.wsdl = pathFrom(directory_, *item.find("wsdl"));
        if (const auto* provider = item.find("provider")) service.provider = *provider;
        service.providerSoap = *item.find("provider-soap");
        service.timeout =
            Milliseconds(std::stoll(*item.find("timeout-ms")));  // checked by the schema
        service.concurrency = static_cast<std::uint32_t>(std::stoul(*item.find("concurrency")));
        for (const auto& understands : item.children)
            service.understands.push_back(*understands.find("namespace"));
        into_.services.push_back(std::move(service));
        return {};
    }

    const std::string name_;
    const std::string directory_;
    Configuration& into_;
};

Result<void> checkTogether(const Configuration& c) {
    for (const auto& [section, listener] :
         {std::pair<const char*, const ListenerConfiguration*>{"stomp", &c.stomp},
          {"openwire", &c.openwire},
          {"amqp", &c.amqp},
          {"one-port", &c.onePort},
          {"http", &c.http}}) {
        if (listener->certificate.empty() != listener->key.empty()) {
            return {ErrorCode::invalidArgument,
                    std::string(section) + ": certificate and key must be set together"};
        }
        if (!listener->clientCa.empty() && listener->certificate.empty()) {
            return {ErrorCode::invalidArgument,
                    std::string(section) + ": client-ca needs certificate and key"};
        }
        if (!listener->clientCrl.empty() && listener->clientCa.empty()) {
            return {ErrorCode::invalidArgument,
                    std::string(section) + ": client-crl needs client-ca"};
        }
    }
    return {};
}

Result<void> applyEnvironment(const Environment& environment, Configuration& into) {
    static const std::map<std::string, std::string> kVariables{
        {"BUSBAR_DATA", "data"},
        {"BUSBAR_STOMP_PORT", "stomp.port"},
        {"BUSBAR_AMQP_PORT", "amqp.port"},
        {"BUSBAR_OPENWIRE_PORT", "openwire.port"},
        {"BUSBAR_HTTP_PORT", "http.port"}};
    for (const auto& [variable, key] : kVariables) {
        const auto value = environment(variable);
        if (!value || value->empty()) continue;
        if (auto set = findSetting(key)->set(into, *value); !set) {
            return {set.error().code, variable + ": " + set.error().text};
        }
    }
    if (auto password = environment("BUSBAR_ADMIN_PASSWORD"))
        into.adminPassword = std::move(*password);
    return {};
}

std::string attributeText(const std::string& name, std::string_view value) {
    return " " + name + "=\"" + xmlAttribute(value) + "\"";
}

std::string printCertificates(const Configuration& configuration) {
    std::string out;
    for (const auto& rule : configuration.certificateUsers.rules) {
        out += "    <certificate" +
               (rule.subject.empty() ? attributeText("name", rule.name)
                                     : attributeText("subject", rule.subject)) +
               attributeText("user", rule.user) + "/>\n";
    }
    return out;
}

/// The sections with single values, each on one line.
std::string printSections(const Configuration& configuration) {
    std::vector<std::pair<std::string, std::string>> sections;  // name, attributes
    for (const auto& setting : allSettings()) {
        const auto dot = setting.key.find('.');
        if (dot == setting.key.npos) continue;
        const auto name = setting.key.substr(0, dot);
        auto at = std::find_if(sections.begin(), sections.end(),
                               [&](const auto& s) { return s.first == name; });
        if (at == sections.end()) at = sections.insert(sections.end(), {name, ""});
        at->second += attributeText(setting.key.substr(dot + 1), setting.get(configuration));
    }
    std::string out;
    for (const auto& [name, attributes] : sections) {
        const std::string content = name == "tls" ? printCertificates(configuration) : "";
        out += "  <" + name + attributes +
               (content.empty() ? "/>\n" : ">\n" + content + "  </" + name + ">\n");
    }
    return out;
}

std::string printQueue(const std::string& key, const QueueConfiguration& queue) {
    std::string out = "    <queue" + attributeText(key, queue.name);
    for (const auto& [name, value] : queueOptionAttributes(queue.options))
        out += attributeText(name, value);
    return out + "/>\n";
}

std::string printQueues(const Configuration& configuration) {
    std::string out = "  <queues>\n";
    for (const auto& queue : configuration.queues) out += printQueue("name", queue);
    for (const auto& queue : configuration.queuePatterns) out += printQueue("match", queue);
    return out + "  </queues>\n";
}

std::string printPermissions(const Configuration& configuration) {
    std::string out = "  <permissions>\n";
    for (const auto& rule : configuration.permissions) {
        std::string rights;
        for (const Right right : kEveryRight) {
            if (rule.rights.has(right))
                rights += (rights.empty() ? "" : " ") + std::string(name(right));
        }
        out += "    <allow" + (rule.role.empty() ? attributeText("user", rule.user)
                                                 : attributeText("role", rule.role));
        out += attributeText(rule.topics ? "topics" : "queues", rule.pattern) +
               attributeText("rights", rights) + "/>\n";
    }
    return out + "  </permissions>\n";
}

std::string printServices(const Configuration& configuration) {
    std::string out = "  <services>\n";
    for (const auto& service : configuration.services) {
        out += "    <service" + attributeText("name", service.name) +
               attributeText("wsdl", service.wsdl);
        if (!service.provider.empty()) out += attributeText("provider", service.provider);
        out += attributeText("provider-soap", service.providerSoap) +
               attributeText("timeout-ms", std::to_string(service.timeout.count())) +
               attributeText("concurrency", std::to_string(service.concurrency)) + ">";
        for (const auto& ns : service.understands)
            out += "<understands" + attributeText("namespace", ns) + "/>";
        out += "</service>\n";
    }
    return out + "  </services>\n";
}

}  // namespace

Result<void> readConfigurationText(std::string_view text, const std::string& name,
                                   const std::string& directory, Configuration& into) {
    auto schemas =
        xml::SchemaSet::build({{"busbar.xsd", std::string(xml::schemaText("busbar.xsd").value())}});
    if (!schemas) return {ErrorCode::internal, schemas.error().text};
    xml::Limits limits;
    limits.bytesMax = kFileBytesMax;
    limits.depthMax = 16;
    auto root = xml::Validator(*schemas, limits).read(text);
    if (!root) return {ErrorCode::malformed, name + ": " + root.error().text};
    return Reader(name, directory, into).read(*root);
}

Result<void> setConfigurationValue(Configuration& into, std::string_view key,
                                   std::string_view value) {
    const auto* setting = findSetting(key);
    if (setting == nullptr) {
        return {ErrorCode::notFound,
                "there is no setting '" + std::string(key) + "'; near are: " + nearKeys(key)};
    }
    if (auto set = setting->set(into, value); !set)
        return {set.error().code, std::string(key) + ": " + set.error().text};
    return {};
}

Result<Configuration> loadConfiguration(const std::string& path, const Environment& environment,
                                        std::span<const std::string> settings) {
    Configuration configuration;
    if (!path.empty()) {
        std::ifstream in(path, std::ios::binary);
        if (!in) return {ErrorCode::notFound, path + ": cannot be read"};
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        const auto slash = path.rfind('/');
        const auto directory = slash == path.npos ? std::string{} : path.substr(0, slash);
        if (auto read = readConfigurationText(text, path, directory, configuration); !read)
            return read.error();
    }
    if (auto applied = applyEnvironment(environment, configuration); !applied)
        return applied.error();
    for (const auto& pair : settings) {
        const auto equals = pair.find('=');
        if (equals == pair.npos)
            return {ErrorCode::invalidArgument, "--set " + pair + ": expected KEY=VALUE"};
        auto set =
            setConfigurationValue(configuration, pair.substr(0, equals), pair.substr(equals + 1));
        if (!set) return {set.error().code, "--set " + set.error().text};
    }
    if (auto checked = checkTogether(configuration); !checked) return checked.error();
    return configuration;
}

std::vector<std::string> settingKeys() {
    std::vector<std::string> out;
    for (const auto& setting : allSettings()) out.push_back(setting.key);
    return out;
}

QueueOptions optionsOfNewQueue(const Configuration& configuration, std::string_view queue) {
    for (const auto& pattern : configuration.queuePatterns) {
        if (matchesPattern(pattern.name, queue)) return pattern.options;
    }
    return configuration.queueDefaults;
}

std::string printConfiguration(const Configuration& configuration) {
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<busbar xmlns=\"" +
                      std::string(kNamespace) + "\"";
    for (const auto& setting : allSettings()) {
        if (setting.key.find('.') == setting.key.npos)
            out += attributeText(setting.key, setting.get(configuration));
    }
    return out + ">\n" + printSections(configuration) + printQueues(configuration) +
           printServices(configuration) + printPermissions(configuration) + "</busbar>\n";
}

}  // namespace busbar
