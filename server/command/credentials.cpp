#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "config/duration.hpp"
#include "server/command/command.hpp"
#include "server/ice_server.hpp"

namespace yuelao::server {
namespace {

struct Wanted {
  std::optional<std::string> user;
  std::string lifetime = "24h";
  bool json = false;
};

int print_credentials(const StartOptions& start, const Wanted& wanted) {
  const auto lifetime = config::parse_duration(wanted.lifetime);
  if (!lifetime || *lifetime == std::chrono::seconds{0}) {
    std::cerr << "yuelao: --ttl " << wanted.lifetime
              << " is not a duration: write a number with its unit, such as 90s, 10m or 24h.\n";
    return used_wrongly;
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

}  // namespace

void add_credentials(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand(
      "credentials", "Print where this server is and a credential for it (TURN REST)");
  const auto wanted = std::make_shared<Wanted>();
  add_start_options(*command, line);
  command
      ->add_option("--user", wanted->user, "Whom it is for; a name in `users` gives that password")
      ->type_name("NAME");
  command->add_option("--ttl", wanted->lifetime, "How long it is valid: 90s, 10m, 24h")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_flag("--json", wanted->json, "Print an RTCIceServer object to paste");
  command->callback([&line, wanted] {
    line.run = [&line, wanted] { return print_credentials(line.start, *wanted); };
  });
}

}  // namespace yuelao::server
