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

constexpr std::string_view this_one = "here";

// A host is put into many kinds of file: only what is a name or an address passes.
Result<void> check_place(const Place& place) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
  if (!IpAddress::parse(place.host) && place.host.find_first_not_of(letters) != std::string::npos) {
    return std::unexpected{
        "--host is a name or an address, such as turn.example.org: leave out everything else."};
  }
  if (place.certificate.empty() != place.key.empty()) {
    return std::unexpected{"a certificate needs its key: give both --certificate and --key."};
  }
  for (const auto& server : place.media_servers) {
    if (server == this_one || IpRange::parse(server)) continue;
    return std::unexpected{
        "a --media-server is an address such as 10.0.0.20, or `here` for this "
        "machine: write one of them."};
  }
  return {};
}

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
    if (server != this_one) {
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

Result<StoredCredentials> find_credentials(const System& system, const ReadyConfig& ready,
                                           const fs::path& state, Request& request) {
  StoredCredentials stored;
  if (system.credential == integrate::Credential::rest) {
    auto secret = secret_for(ready, state, stored);
    if (!secret) return std::unexpected{secret.error()};
    request.secret = std::move(*secret);
  } else {
    auto user = user_for(system, ready, state, stored);
    if (!user) return std::unexpected{user.error()};
    request.user = std::move(*user);
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

// File names on the command line start from where it was typed, those in the file do not.
void make_absolute(std::string& file) {
  if (!file.empty()) file = fs::absolute(file).string();
}

}  // namespace

std::expected<Integration, std::string> integrate_with(const System& system,
                                                       const StartOptions& start,
                                                       IntegrationWish wish) {
  if (const auto fine = check_place(wish.place); !fine) return std::unexpected{fine.error()};
  make_absolute(wish.place.certificate);
  make_absolute(wish.place.key);
  Integration made;
  made.file = config_file(start).value_or(usual_config_file);
  std::error_code ignored;
  made.file_exists = fs::exists(made.file, ignored);
  auto ready = running_config(start, made);
  if (!ready) return std::unexpected{ready.error()};
  const auto state = state_directory(start.state_directory.empty() ? ready->config.state_directory
                                                                   : start.state_directory);
  if (!state) return std::unexpected{state.error()};
  auto host = name_of(wish.place, ready->config);
  const auto& servers = wish.place.media_servers;
  if (host.empty() || std::ranges::find(servers, this_one) != servers.end()) {
    const auto resolved = resolve_addresses(ready->config, this_machine());
    if (!resolved) return std::unexpected{resolved.error()};
  }
  if (host.empty())
    host = in_url(ready->config.turn.relay_addresses.front().advertised.to_string());
  wish.place.media_servers = spelt_out(wish.place.media_servers, ready->config);

  Request request{std::move(host), {}, false, {}, {}};
  const auto stored = find_credentials(system, *ready, *state, request);
  if (!stored) return std::unexpected{stored.error()};
  for (const auto& entry :
       integrate::missing_entries(system, wish.place, *stored, ready->config, made.file_exists)) {
    made.ours += entry.text;
  }
  const auto config = completed(made, ready->config);
  request.services = integrate::services(config, wish.turns_port);
  request.tls_on_tcp = config.tls.has_value();
  made.theirs = system.instructions(request);
  add_media_note(system, config, made.theirs);
  return made;
}

}  // namespace yuelao::server
