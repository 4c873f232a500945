#include <chrono>
#include <iostream>
#include <optional>
#include <string>

#include "config/duration.hpp"
#include "server/command/command.hpp"
#include "server/ice_server.hpp"

namespace yuelao::server {

int print_credentials(const StartOptions& start, const CredentialsArguments& wanted) {
  const auto lifetime = config::parse_duration(wanted.lifetime);
  if (!lifetime || *lifetime == std::chrono::seconds{0}) {
    return misuse("--ttl " + wanted.lifetime +
                  " is not a duration: write a number with its unit, such as 90s, 10m or 24h.");
  }
  const auto ready = make_ready(start, SecretUse::read_only);
  if (!ready) return fail(ready.error());
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto server = make_ice_server(ready->config, {wanted.user, *lifetime}, now);
  if (!server) return fail(server.error());
  if (wanted.json) {
    std::cout << to_json(*server) << "\n";
    return succeeded;
  }
  for (const auto& url : server->urls) std::cout << "url         " << url << "\n";
  std::cout << "username    " << server->username << "\n"
            << "credential  " << server->credential.reveal() << "\n";
  return succeeded;
}

}  // namespace yuelao::server
