#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "server/command/address_book.hpp"

namespace yuelao::server {

// Where the configuration is looked for when nobody names one.
inline constexpr const char* usual_config_file = "/etc/yuelao/yuelao.yaml";

// What the command line said of the configuration.
struct StartOptions {
  std::filesystem::path config_file;      // empty: $YUELAO_CONFIG, /etc/yuelao/yuelao.yaml, none
  std::filesystem::path state_directory;  // empty: what state.hpp finds
};

// A configuration that can be served: secret at hand, addresses resolved.
struct ReadyConfig {
  config::Config config;
  std::optional<std::filesystem::path> config_file;
  // Where the secret is that yuelao made; unset when the configuration has its own
  // users or secrets.
  std::optional<std::filesystem::path> secret_file;
  std::vector<std::string> warnings;
};

enum class SecretUse : std::uint8_t {
  make_if_missing,  // the server
  read_only,        // everybody else: a second secret would fit no server
};

// The file to read, if there is one.
std::optional<std::filesystem::path> config_file(const StartOptions& options);

// The configuration with its credentials, but not its addresses: what is enough where
// nothing is served.
std::expected<ReadyConfig, std::string> read_config(const StartOptions& options, SecretUse use);

// The error is one sentence, with its place where the configuration is wrong. Asks
// resolvers and STUN servers where the configuration names them: seconds at most.
std::expected<ReadyConfig, std::string> make_ready(const StartOptions& options, SecretUse use);
// The same with a memory of what was found out before.
std::expected<ReadyConfig, std::string> make_ready(const StartOptions& options, SecretUse use,
                                                   AddressBook& addresses);

}  // namespace yuelao::server
