#include "server/command/start_up.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "config/load.hpp"
#include "server/command/addresses.hpp"
#include "server/command/certificate_host.hpp"
#include "server/command/state.hpp"

namespace yuelao::server {
namespace {

namespace fs = std::filesystem;

// No authentication configured is never an open relay: without users and secrets, the
// secret in the state directory decides who may relay.
std::expected<void, std::string> complete_credentials(const StartOptions& options, SecretUse use,
                                                      ReadyConfig& ready) {
  auto& credentials = ready.config.turn.credentials;
  if (!credentials.users.empty() || !credentials.rest_secrets.empty()) return {};
  const auto& chosen =
      options.state_directory.empty() ? ready.config.state_directory : options.state_directory;
  const auto directory = state_directory(chosen);
  if (!directory) return std::unexpected{directory.error()};
  auto secret =
      use == SecretUse::make_if_missing ? read_or_make_secret(*directory) : read_secret(*directory);
  if (!secret) return std::unexpected{secret.error()};
  credentials.rest_secrets.push_back(std::move(*secret));
  ready.secret_file = secret_file(*directory);
  return {};
}

}  // namespace

std::optional<fs::path> config_file(const StartOptions& options) {
  if (!options.config_file.empty()) return options.config_file;
  if (const char* named = std::getenv("YUELAO_CONFIG"); named && *named != '\0') return named;
  // One that cannot be looked for, as in a directory that is closed to this user, may well be
  // there: to read it fails with the reason.
  std::error_code error;
  if (fs::exists(usual_config_file, error) || error) return usual_config_file;
  return std::nullopt;
}

std::expected<ReadyConfig, std::string> read_config(const StartOptions& options, SecretUse use) {
  ReadyConfig ready;
  ready.config_file = config_file(options);
  if (ready.config_file) {
    auto config = config::load(*ready.config_file);
    if (!config) return std::unexpected{config.error().to_string()};
    ready.config = std::move(*config);
    ready.warnings = ready.config.warnings;
  }
  if (const auto done = complete_credentials(options, use, ready); !done) {
    return std::unexpected{done.error()};
  }
  if (ready.config.tls) {
    ready.config.tls->host = certificate_host(ready.config.tls->certificate).value_or("");
  }
  return ready;
}

std::expected<ReadyConfig, std::string> make_ready(const StartOptions& options, SecretUse use) {
  AddressBook addresses;
  return make_ready(options, use, addresses);
}

std::expected<ReadyConfig, std::string> make_ready(const StartOptions& options, SecretUse use,
                                                   AddressBook& addresses) {
  auto ready = read_config(options, use);
  if (!ready) return ready;
  if (const auto done = addresses.resolve(ready->config); !done) {
    return std::unexpected{done.error()};
  }
  std::ranges::move(addresses.news(), std::back_inserter(ready->warnings));
  std::ranges::move(address_warnings(ready->config), std::back_inserter(ready->warnings));
  return ready;
}

}  // namespace yuelao::server
