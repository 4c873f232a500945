#include "server/integrate/ours.hpp"

#include <algorithm>

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

void add_listen(const System& system, const Place& place, std::vector<Entry>& entries) {
  if (system.port == Listen{}.port) return;
  const auto port = std::to_string(system.port);
  // Naming listeners takes the default ones away, TLS among them.
  const std::string tls = place.certificate.empty() ? "" : ", tls:5349";
  entries.push_back({"listen", "listen: [udp:" + port + ", tcp:" + port + tls + "]\n"});
}

void add_tls(const Place& place, const Config& running, std::vector<Entry>& entries) {
  if (place.certificate.empty() || running.tls) return;
  entries.push_back({"tls", "tls:\n  certificate: " + scalar(place.certificate) +
                                "\n  key: " + scalar(place.key) + "\n"});
}

void add_credentials(const StoredCredentials& stored, std::vector<Entry>& entries) {
  if (!stored.secret_file.empty()) {
    entries.push_back({"secrets", "secrets:\n  - file: " + scalar(stored.secret_file) + "\n"});
  }
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
  if (system.media == Media::only_server) text += "  deny: [\"0.0.0.0/0\", \"::/0\"]\n";
  entries.push_back({"peers", std::move(text)});
}

const Listen* first(const Config& config, Transport transport) {
  const auto found = std::ranges::find(config.listen, transport, &Listen::transport);
  return found == config.listen.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Entry> missing_entries(const System& system, const Place& place,
                                   const StoredCredentials& stored, const Config& running,
                                   bool file_exists) {
  std::vector<Entry> entries;
  if (!file_exists) add_listen(system, place, entries);
  if (!place.host.empty() && running.external_addresses.empty()) {
    entries.push_back({"external_address", "external_address: " + scalar(place.host) + "\n"});
  }
  add_tls(place, running, entries);
  add_credentials(stored, entries);
  add_peers(system, place, running, entries);
  return entries;
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
