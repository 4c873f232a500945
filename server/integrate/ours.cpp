#include "server/integrate/ours.hpp"

#include <algorithm>

#include "server/integrate/port_443.hpp"
#include "server/integrate/quote.hpp"

namespace yuelao::integrate {
namespace {

using config::Config;
using config::Listen;

// Bare where YAML cannot mistake it, for people to read.
std::string scalar(std::string_view value) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view{"-._/"}.contains(c);
  };
  const bool bare = !value.empty() && value.front() != '-' && std::ranges::all_of(value, plain);
  return bare ? std::string{value} : in_yaml(value);
}

std::string listed(const std::vector<std::string>& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : ", ") + scalar(value);
  return "[" + text + "]";
}

bool allowed(const Config& running, const std::string& range) {
  const auto address = IpAddress::parse(range);
  return address && std::ranges::any_of(running.turn.peers.allow, [&](const IpRange& allowed) {
           return allowed.contains(*address);
         });
}

constexpr std::uint16_t usual_api_port = 9642;

std::string spelt(const Listen& listen) {
  const auto address = listen.address ? Endpoint{*listen.address, listen.port}.to_string()
                                      : std::to_string(listen.port);
  const auto text = std::string{name(listen.transport)} + ":" + address;
  return address.starts_with('[') ? in_yaml(text) : text;
}

std::string spelt(const Endpoint& endpoint) {
  const auto text = endpoint.to_string();
  return text.starts_with('[') ? in_yaml(text) : text;
}

// With those that the system and the place need.
std::vector<Listen> listeners(const System& system, const Place& place, const Running& running) {
  auto all = running.config.listen;
  if (!running.file_exists) {
    for (auto& listen : all) listen.port = system.port;
  }
  const bool at_https = std::ranges::any_of(all, [](const Listen& listen) {
    return listen.transport == Transport::tls && listen.port == https;
  });
  if (place.web_server && !at_https) all.push_back({Transport::tls, std::nullopt, https});
  return all;
}

void add_listen(const System& system, const Place& place, const Running& running,
                std::vector<Entry>& entries) {
  auto all = listeners(system, place, running);
  const bool usual_port = running.file_exists || system.port == Listen{}.port;
  if (usual_port && all.size() == running.config.listen.size()) return;
  // Naming listeners takes the default ones away, TLS among them.
  const bool tls = !place.certificate.empty() && !running.config.tls;
  if (tls && !place.web_server) all.push_back({Transport::tls, std::nullopt, 5349});
  std::string text;
  for (const auto& listen : all) text += (text.empty() ? "" : ", ") + spelt(listen);
  entries.push_back({"listen", "listen: [" + text + "]\n"});
}

void add_tls(const Place& place, const Config& running, std::vector<Entry>& entries) {
  if (place.certificate.empty() || running.tls) return;
  entries.push_back({"tls", "tls:\n  certificate: " + scalar(place.certificate) +
                                "\n  key: " + scalar(place.key) + "\n"});
}

// A server without PROXY headers has no plain port either: it is TLS alone.
void add_web_server(const System& system, const Place& place, const Config& running,
                    std::vector<Entry>& entries) {
  if (!place.web_server) return;
  if (running.web_server && running.web_server->tls == place.web_server) return;
  auto text = "web_server:\n  tls: " + spelt(*place.web_server) + "\n";
  if (system.web_server.kind == WebServer::Kind::nginx) {
    if (const auto plain = plain_port_of(*place.web_server)) {
      text += "  plain: " + spelt(*plain) + "\n";
    }
    text += "  proxy_protocol: v2\n";
  }
  entries.push_back({"web_server", std::move(text)});
}

void add_secrets(const StoredCredentials& stored, std::vector<Entry>& entries) {
  if (!stored.secret_file.empty()) {
    entries.push_back({"secrets", "secrets:\n  - file: " + scalar(stored.secret_file) + "\n"});
  }
}

// Of a service that hands out nothing yet: long enough for a test before joining, and too
// short to be worth stealing from its page.
constexpr std::string_view lifetime_for_pages = "10m";

void add_api(const System& system, const Place& place, const StoredCredentials& stored,
             const Config& running, std::vector<Entry>& entries) {
  if (!place.api) return;
  const auto& service = running.credentials;
  const auto listen = api_listener(*place.api, running);
  std::string text;
  if (service.listen != listen) text += "  listen: " + spelt(listen) + "\n";
  if (!stored.api_key_file.empty()) {
    text += "  keys:\n    - file: " + scalar(stored.api_key_file) + "\n";
  }
  const auto& origin = place.api->origin;
  if (!origin.empty() && std::ranges::find(service.origins, origin) == service.origins.end()) {
    text += "  origins: [" + in_yaml(origin) + "]\n";
  }
  if (!service.listen && system.asks == Asks::page) {
    text += "  lifetime: " + std::string{lifetime_for_pages} + "\n";
  }
  if (!text.empty()) entries.push_back({"credentials", "credentials:\n" + text});
}

void add_users(const StoredCredentials& stored, std::vector<Entry>& entries) {
  if (!stored.user.empty()) {
    entries.push_back({"users", "users:\n  - name: " + scalar(stored.user) +
                                    "\n    password_file: " + scalar(stored.password_file) + "\n"});
  }
}

void add_peers(const System& system, const Place& place, const Config& running,
               std::vector<Entry>& entries) {
  std::vector<std::string> missing;
  for (const auto& address : place.media_servers) {
    if (!allowed(running, address)) missing.push_back(address);
  }
  if (missing.empty()) return;
  std::string text = "peers:\n  allow: " + listed(missing) + "\n";
  if (system.media == Media::only_server) text += "  mode: media-server\n";
  entries.push_back({"peers", std::move(text)});
}

const Listen* first(const Config& config, Transport transport) {
  const auto found = std::ranges::find(config.listen, transport, &Listen::transport);
  return found == config.listen.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Entry> missing_entries(const System& system, const Place& place,
                                   const StoredCredentials& stored, const Running& running) {
  const auto& config = running.config;
  std::vector<Entry> entries;
  add_listen(system, place, running, entries);
  if (!place.host.empty() && config.external_addresses.empty()) {
    entries.push_back({"external_address", "external_address: " + scalar(place.host) + "\n"});
  }
  add_tls(place, config, entries);
  add_web_server(system, place, config, entries);
  add_secrets(stored, entries);
  add_api(system, place, stored, config, entries);
  add_users(stored, entries);
  add_peers(system, place, config, entries);
  return entries;
}

Endpoint api_listener(const ApiPlace& api, const Config& running) {
  if (api.listen) return *api.listen;
  return running.credentials.listen.value_or(
      Endpoint{IpAddress::v4({127, 0, 0, 1}), usual_api_port});
}

std::vector<Service> services(const Config& config, std::optional<std::uint16_t> turns_port) {
  std::vector<Service> all;
  const auto* udp = first(config, Transport::udp);
  const auto* tcp = first(config, Transport::tcp);
  const auto* tls = first(config, Transport::tls);
  if (udp) all.push_back({"stun", udp->port, "udp"});
  if (udp) all.push_back({"turn", udp->port, "udp"});
  if (tcp) all.push_back({"turn", tcp->port, "tcp"});
  if (turns_port) {
    all.push_back({"turns", *turns_port, "tcp"});
  } else if (config.tls && (tls || tcp)) {
    all.push_back({"turns", (tls ? tls : tcp)->port, "tcp"});
  }
  return all;
}

}  // namespace yuelao::integrate
