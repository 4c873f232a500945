#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>

#include "server/command/start_up.hpp"
#include "server/integrate/ours.hpp"
#include "server/integrate/system.hpp"

namespace yuelao::server {

// What the command line said of a meeting system.
struct IntegrationWish {
  integrate::Place place;  // a media server may be "here": this machine
  std::optional<std::uint16_t> turns_port;
};

// Both sides of an integration.
struct Integration {
  std::filesystem::path file;  // yuelao's configuration
  bool file_exists = false;
  std::string ours;  // the file's text; where there is one, what it lacks
  integrate::Instructions theirs;
};

// Reads the configuration and the state directory, where it makes the secret or password
// that `system` needs if there is none. The error is one sentence with the fix.
std::expected<Integration, std::string> integrate_with(const integrate::System& system,
                                                       const StartOptions& start,
                                                       IntegrationWish wish);

}  // namespace yuelao::server
