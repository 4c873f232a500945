#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "server/command/integration_wish.hpp"
#include "server/command/start_up.hpp"
#include "server/integrate/system.hpp"

namespace yuelao::server {

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
                                                       const IntegrationWish& wish);

}  // namespace yuelao::server
