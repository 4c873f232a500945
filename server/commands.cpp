#include "server/commands.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include "config/duration.hpp"
#include "config/load.hpp"
#include "server/ice_server.hpp"
#include "server/serve.hpp"
#include "server/start_up.hpp"

namespace yuelao::server {
namespace {

constexpr int succeeded = 0;
constexpr int failed = 1;
constexpr int used_wrongly = 2;

struct CommandLine {
  StartOptions start;
  std::string file_to_check;
  std::optional<std::string> user;
  std::string lifetime = "24h";
  bool json = false;
};

int fail(std::string_view sentence) {
  std::cerr << "yuelao: " << sentence << "\n";
  return failed;
}

std::chrono::sys_seconds wall_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

int check_config(const CommandLine& line) {
  StartOptions options = line.start;
  if (!line.file_to_check.empty()) options.config_file = line.file_to_check;
  const auto file = config_file(options);
  if (!file) return fail("there is no configuration to check: name a file.");
  const auto config = config::load(*file);
  if (!config) {
    // As compilers write it, so that editors find the place.
    std::cerr << config.error().to_string() << "\n";
    return failed;
  }
  for (const auto& warning : config->warnings) std::cerr << warning << " (warning)\n";
  const auto& credentials = config->turn.credentials;
  std::cout << file->string() << ": ok, " << config->listen.size() << " listeners, "
            << credentials.rest_secrets.size() << " secrets, " << credentials.users.size()
            << " users";
  if (credentials.rest_secrets.empty() && credentials.users.empty()) {
    std::cout << " (yuelao makes a secret of its own)";
  }
  std::cout << "\n";
  return succeeded;
}

int print_credentials(const CommandLine& line) {
  const auto lifetime = config::parse_duration(line.lifetime);
  if (!lifetime || *lifetime == std::chrono::seconds{0}) {
    std::cerr << "yuelao: --ttl " << line.lifetime
              << " is not a duration: write a number with its unit, such as 90s, 10m or 24h.\n";
    return used_wrongly;
  }
  const auto ready = make_ready(line.start, SecretUse::read_only);
  if (!ready) return fail(ready.error());
  const auto server = make_ice_server(ready->config, {line.user, *lifetime}, wall_clock());
  if (!server) return fail(server.error());
  if (line.json) {
    std::cout << to_json(*server) << "\n";
    return succeeded;
  }
  for (const auto& url : server->urls) std::cout << "url         " << url << "\n";
  std::cout << "username    " << server->username << "\n"
            << "credential  " << server->credential.reveal() << "\n";
  return succeeded;
}

void add_start_options(CLI::App& app, CommandLine& line) {
  app.add_option("-c,--config", line.start.config_file,
                 "Configuration file. Default: $YUELAO_CONFIG, or /etc/yuelao/yuelao.yaml "
                 "where it exists, or none: everything has a safe default")
      ->type_name("FILE");
  app.add_option("--state-directory", line.start.state_directory,
                 "Where the secret made at the first start is kept. Default: "
                 "/var/lib/yuelao for root, else ~/.local/state/yuelao")
      ->type_name("DIR");
}

void add_credential_options(CLI::App& app, CommandLine& line) {
  app.add_option("--user", line.user, "Whom it is for; a name in `users` gives that password")
      ->type_name("NAME");
  app.add_option("--ttl", line.lifetime, "How long it is valid: 90s, 10m, 24h")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_flag("--json", line.json, "Print an RTCIceServer object to paste");
}

}  // namespace

int run_command(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app{
      "yuelao relays the media of calls between browsers that cannot reach each other "
      "(STUN and TURN).\n\nStart it without arguments: it makes a secret, listens on port "
      "3478 over UDP and TCP, and\nprints what to paste into your meeting server.\n",
      "yuelao"};
  app.set_version_flag("--version", "yuelao " YUELAO_VERSION, "Print the version");
  app.require_subcommand(0, 1);
  add_start_options(app, line);

  auto* serve_command = app.add_subcommand("serve", "Run the server (what happens by default)");
  add_start_options(*serve_command, line);
  auto* check_command =
      app.add_subcommand("check-config", "Say what is wrong with a configuration file");
  check_command->add_option("FILE", line.file_to_check, "The file. Default: the one serve reads")
      ->type_name("");
  auto* credentials_command = app.add_subcommand(
      "credentials", "Print where this server is and a credential for it (TURN REST)");
  add_start_options(*credentials_command, line);
  add_credential_options(*credentials_command, line);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? succeeded : used_wrongly;
  }
  if (*check_command) return check_config(line);
  if (*credentials_command) return print_credentials(line);
  return serve(line.start);
}

}  // namespace yuelao::server
