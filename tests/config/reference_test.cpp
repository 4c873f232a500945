#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "config/element.hpp"
#include "config/load.hpp"
#include "tests/support/temporary_directory.hpp"

namespace yuelao::config::reference_test {
namespace {

std::string project_file(const std::string& name) {
  std::ifstream file{YUELAO_TEST_DIR "/../" + name};
  REQUIRE(file);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

// With the examples in place: "#key", "#  key" and "#- item" lose their "#"; "# Prose"
// stays a comment.
std::string with_examples(const std::string& text) {
  std::istringstream lines{text};
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const bool prose = line.size() > 2 && line[1] == ' ' && line[2] != ' ';
    if (line.starts_with('#') && !prose) line.erase(0, 1);
    result += line + "\n";
  }
  return result;
}

void collect(const Element& element, const std::string& path, std::vector<std::string>& keys) {
  for (const auto& item : element.items) collect(item, path, keys);
  for (const auto& member : element.members) {
    const auto key = path.empty() ? member.key : path + "." + member.key;
    keys.push_back(key);
    collect(member.value, key, keys);
  }
}

std::vector<std::string> keys_of(const std::string& text) {
  const auto root = parse_yaml(text);
  REQUIRE_MESSAGE(root, (root ? "" : root.error().sentence));
  std::vector<std::string> keys;
  collect(*root, "", keys);
  return keys;
}

bool holds(const std::vector<std::string>& keys, const std::string& key) {
  return std::ranges::find(keys, key) != keys.end();
}

}  // namespace

TEST_CASE("config/yuelao.yaml holds every key, fits one screen, and says what is the default") {
  const auto text = project_file("config/yuelao.yaml");
  CHECK(std::ranges::count(text, '\n') <= 70);
  const auto keys = keys_of(with_examples(text));
  for (const auto& key : known_keys()) {
    CAPTURE(key);
    CHECK(holds(keys, key));
  }

  const auto config = parse(text, "yuelao.yaml");
  REQUIRE_MESSAGE(config, (config ? "" : config.error().to_string()));
  CHECK(config->warnings.empty());
  const Config defaults;
  CHECK(config->listen.size() == defaults.listen.size());
  CHECK(config->relay.first_port == defaults.relay.first_port);
  CHECK(config->relay.last_port == defaults.relay.last_port);
  CHECK(config->turn.realm == defaults.turn.realm);
  CHECK(config->turn.software == defaults.turn.software);
  CHECK(config->turn.peers.allow.empty());
  CHECK(config->turn.peers.deny.empty());
  CHECK(config->turn.default_lifetime == defaults.turn.default_lifetime);
  CHECK(config->turn.maximum_lifetime == defaults.turn.maximum_lifetime);
  CHECK(config->turn.nonce_lifetime == defaults.turn.nonce_lifetime);
  CHECK(config->turn.credentials.longest_rest_lifetime ==
        defaults.turn.credentials.longest_rest_lifetime);
  const auto& limits = config->turn.limits;
  CHECK(limits.allocations == defaults.turn.limits.allocations);
  CHECK(limits.allocations_per_user == defaults.turn.limits.allocations_per_user);
  CHECK(limits.allocations_per_prefix == defaults.turn.limits.allocations_per_prefix);
  CHECK(limits.permissions_per_allocation == defaults.turn.limits.permissions_per_allocation);
  CHECK(limits.channels_per_allocation == defaults.turn.limits.channels_per_allocation);
  CHECK(config->connections == defaults.connections);
  CHECK(config->turn.tcp_relays == defaults.turn.tcp_relays);
  CHECK(limits.peer_connections == defaults.turn.limits.peer_connections);
  CHECK(limits.peer_connections_per_user == defaults.turn.limits.peer_connections_per_user);
  CHECK(limits.peer_connections_per_allocation ==
        defaults.turn.limits.peer_connections_per_allocation);
  CHECK(config->metrics == defaults.metrics);
  CHECK(config->log.level == defaults.log.level);
  CHECK(config->log.format == defaults.log.format);
  CHECK(config->log.privacy == defaults.log.privacy);
  CHECK(config->drain_timeout == defaults.drain_timeout);
  CHECK(config->turn.alternate_server.addresses.empty());
  CHECK(config->turn.behavior_discovery == defaults.turn.behavior_discovery);
  CHECK(config->threads == defaults.threads);
  CHECK(config->poller == defaults.poller);
  CHECK(config->sandbox == defaults.sandbox);
  CHECK(config->address_check == defaults.address_check);
}

TEST_CASE("the examples in config/yuelao.yaml work") {
  const test::TemporaryDirectory directory;
  directory.write("turn.secret", "0123456789abcdef0123456789abcdef");
  directory.write("bridge.password", "0123456789abcdef");
  ::setenv("TURN_SECRET", "0123456789abcdef0123456789abcdef", 1);
  directory.write("api.secret", "0123456789abcdef0123456789abcdef");
  ::setenv("API_KEY", "0123456789abcdef0123456789abcdef", 1);
  auto text = with_examples(project_file("config/yuelao.yaml"));
  // A web server shares tls listeners, of which the default has none without a certificate.
  text.replace(text.find("tcp:3478]"), 8, "tcp:3478, tls:443");
  const auto config = load(directory.write("yuelao.yaml", text));
  REQUIRE_MESSAGE(config, (config ? "" : config.error().to_string()));
  CHECK(config->turn.credentials.rest_secrets.size() == 3);
  CHECK(config->turn.credentials.users.size() == 2);
  CHECK(config->turn.credentials.denied_users.size() == 1);
  CHECK(config->credentials.listen);
  CHECK(config->credentials.keys.size() == 3);
  CHECK(config->credentials.lifetime == Config{}.credentials.lifetime);
  CHECK(config->credentials.rate == Config{}.credentials.rate);
  CHECK(config->external_addresses.size() == 2);
  CHECK(config->tls);
  CHECK(config->proxies.size() == 1);
  REQUIRE(config->web_server);
  CHECK(config->web_server->turn_names.size() == 1);
  CHECK(config->web_server->proxy_protocol == WebServer{}.proxy_protocol);
  CHECK(config->turn.alternate_server.addresses ==
        std::vector{Endpoint{*IpAddress::parse("203.0.113.6"), 0},
                    Endpoint{*IpAddress::parse("2001:db8::6"), 0}});
  CHECK(config->turn.alternate_server.domain == "turn2.example.org");
  CHECK(config->turn.behavior_discovery.addresses.size() == 2);
  CHECK(config->turn.behavior_discovery.ports == Config{}.turn.behavior_discovery.ports);
  CHECK(config->warnings.empty());
}

TEST_CASE("docs/configuration.md has a row for every key and for nothing else") {
  std::istringstream lines{project_file("docs/configuration.md")};
  std::vector<std::string> documented;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| `")) documented.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  auto known = known_keys();
  std::ranges::sort(documented);
  std::ranges::sort(known);
  CHECK(documented == known);
}

TEST_CASE("the fuzzer's lines have every key") {
  const auto lines = project_file("fuzz/known_lines.hpp");
  for (const auto& key : known_keys()) {
    CAPTURE(key);
    CHECK(lines.find(key.substr(key.rfind('.') + 1) + ":") != std::string::npos);
  }
}

}  // namespace yuelao::config::reference_test
