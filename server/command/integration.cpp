#include "server/command/integration.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "server/command/addresses.hpp"
#include "server/command/certificate_host.hpp"
#include "server/command/state.hpp"
#include "server/integrate/port_443.hpp"
#include "server/machine.hpp"

namespace yuelao::server {
namespace {

namespace fs = std::filesystem;
using integrate::Place;
using integrate::Request;
using integrate::StoredCredentials;
using integrate::System;
template <typename T>
using Result = std::expected<T, std::string>;

std::string in_url(const std::string& host) {
  const auto address = IpAddress::parse(host);
  return address && address->family() == Family::ipv6 ? "[" + host + "]" : host;
}

// What clients call this server by what was said, configured or certified. Empty: it has
// no name, only addresses.
std::string name_of(const Place& place, const config::Config& config) {
  if (!place.host.empty()) return in_url(place.host);
  for (const auto& external : config.external_addresses) {
    if (!IpAddress::parse(external.public_host)) return external.public_host;
  }
  if (!place.certificate.empty()) return certificate_host(place.certificate).value_or("");
  return config.tls ? config.tls->host : "";
}

// With the addresses of this machine, as clients and as it itself knows them, for "here".
std::vector<std::string> spelt_out(const std::vector<std::string>& servers,
                                   const config::Config& config) {
  std::vector<std::string> all;
  const auto add = [&](const std::string& address) {
    if (std::ranges::find(all, address) == all.end()) all.push_back(address);
  };
  for (const auto& server : servers) {
    if (server != this_machine_word) {
      add(server);
      continue;
    }
    for (const auto& relay : config.turn.relay_addresses) {
      add(relay.advertised.to_string());
      add(relay.bound.to_string());
    }
  }
  return all;
}

// The secret that signs the system's credentials; from the state directory where the
// configuration has users alone.
Result<Secret> secret_for(const ReadyConfig& ready, const fs::path& state,
                          StoredCredentials& stored) {
  const auto& secrets = ready.config.turn.credentials.rest_secrets;
  if (!secrets.empty()) return secrets.front();
  auto secret = read_or_make_secret(state);
  if (secret) stored.secret_file = secret_file(state);
  return secret;
}

// The configuration's user of the system's name, or its first one, or a new one.
Result<turn::StaticUser> user_for(const System& system, const ReadyConfig& ready,
                                  const fs::path& state, StoredCredentials& stored) {
  const auto& users = ready.config.turn.credentials.users;
  const auto own = std::ranges::find(users, system.name, &turn::StaticUser::name);
  if (own != users.end()) return *own;
  if (!users.empty()) return users.front();
  auto password = read_or_make_password(state, system.name);
  if (!password) return std::unexpected{password.error()};
  stored.user = system.name;
  stored.password_file = password_file(state, system.name);
  // With a user in the file yuelao no longer looks at the secret it made; whoever has
  // credentials of that one keeps them by this.
  if (ready.secret_file) stored.secret_file = *ready.secret_file;
  return turn::StaticUser{stored.user, std::move(*password)};
}

// The key of this system alone: what a page shows to everybody opens nothing for others.
Result<Secret> api_key_for(const System& system, const ReadyConfig& ready, const fs::path& state,
                           StoredCredentials& stored) {
  auto key = read_or_make_api_key(state, system.name);
  const auto& known = ready.config.credentials.keys;
  if (key && std::ranges::find(known, *key) == known.end()) {
    stored.api_key_file = api_key_file(state, system.name);
  }
  return key;
}

Result<StoredCredentials> find_credentials(const System& system, const ReadyConfig& ready,
                                           const fs::path& state, Request& request) {
  StoredCredentials stored;
  // What asks yuelao gets credentials that are made with the secret.
  if (request.api || system.credential == integrate::Credential::rest) {
    auto secret = secret_for(ready, state, stored);
    if (!secret) return std::unexpected{secret.error()};
    request.secret = std::move(*secret);
  } else {
    auto user = user_for(system, ready, state, stored);
    if (!user) return std::unexpected{user.error()};
    request.user = std::move(*user);
  }
  if (request.api) {
    auto key = api_key_for(system, ready, state, stored);
    if (!key) return std::unexpected{key.error()};
    request.api->key = std::move(*key);
  }
  return stored;
}

std::string text_of(const fs::path& file) {
  std::ifstream stream{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

// The configuration with the new entries; without them where one of their keys is there
// already, which a person has to join.
config::Config completed(const Integration& made, const config::Config& running) {
  const std::string before = made.file_exists ? text_of(made.file) + "\n" : "";
  auto config = config::parse(before + made.ours, made.file.string());
  if (!config) return running;
  return std::move(*config);
}

// The configuration there is. Of a file that is still to be made, the defaults.
Result<ReadyConfig> running_config(const StartOptions& start, const Integration& made) {
  auto options = start;
  options.config_file = made.file_exists ? made.file : fs::path{"/dev/null"};
  return read_config(options, SecretUse::make_if_missing);
}

void add_media_note(const System& system, const config::Config& config,
                    integrate::Instructions& theirs) {
  if (system.media == integrate::Media::peers || !config.turn.peers.allow.empty()) return;
  theirs.notes.emplace_back(
      "A media server on this machine or in a private network is closed to clients until it is "
      "named: --media-server here, or --media-server with its address.");
}

// What every system has to know that shares port 443.
void add_web_server_behind(const System& system, const Request& request,
                           integrate::Instructions& theirs) {
  if (!request.web_server) return;
  if (system.web_server.kind == integrate::WebServer::Kind::nginx) {
    theirs.snippets.push_back(integrate::nginx_behind(request, system.web_server.text));
  }
  theirs.notes.emplace_back(
      "Names that are not in yuelao's certificate go to the web server untouched; a name that is "
      "has to be in the web server's certificate too.");
}

// What the place leaves to this machine and its configuration to say.
Result<std::string> complete_place(Place& place, config::Config& config) {
  if (place.web_server && place.certificate.empty() && !config.tls) {
    return std::unexpected{
        "port 443 is for TLS, and there is no certificate: give --certificate and --key."};
  }
  auto host = name_of(place, config);
  const auto& servers = place.media_servers;
  if (host.empty() || std::ranges::find(servers, this_machine_word) != servers.end()) {
    const auto resolved = resolve_addresses(config, this_machine());
    if (!resolved) return std::unexpected{resolved.error()};
  }
  if (host.empty()) host = in_url(config.turn.relay_addresses.front().advertised.to_string());
  place.media_servers = spelt_out(place.media_servers, config);
  return host;
}

Request request_for(std::string host, const Place& place, const config::Config& config) {
  Request request{};
  request.host = std::move(host);
  request.web_server = place.web_server;
  if (place.api) {
    request.api = {integrate::api_listener(*place.api, config), place.api->url, place.api->origin,
                   Secret{}};
  }
  return request;
}

}  // namespace

std::expected<Integration, std::string> integrate_with(const System& system,
                                                       const StartOptions& start,
                                                       const IntegrationWish& wish) {
  auto place = place_for(system, wish);
  if (!place) return std::unexpected{place.error()};
  Integration made;
  made.file = config_file(start).value_or(usual_config_file);
  std::error_code ignored;
  made.file_exists = fs::exists(made.file, ignored);
  auto ready = running_config(start, made);
  if (!ready) return std::unexpected{ready.error()};
  const auto state = state_directory(start.state_directory.empty() ? ready->config.state_directory
                                                                   : start.state_directory);
  if (!state) return std::unexpected{state.error()};
  auto host = complete_place(*place, ready->config);
  if (!host) return std::unexpected{host.error()};

  auto request = request_for(std::move(*host), *place, ready->config);
  const auto stored = find_credentials(system, *ready, *state, request);
  if (!stored) return std::unexpected{stored.error()};
  for (const auto& entry :
       integrate::missing_entries(system, *place, *stored, {ready->config, made.file_exists})) {
    made.ours += entry.text;
  }
  const auto config = completed(made, ready->config);
  request.services =
      integrate::services(config, place->web_server ? integrate::https : wish.turns_port);
  request.tls_on_tcp = config.tls.has_value();
  made.theirs = system.instructions(request);
  add_web_server_behind(system, request, made.theirs);
  add_media_note(system, config, made.theirs);
  return made;
}

}  // namespace yuelao::server
