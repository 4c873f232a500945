#include <unistd.h>

#include <chrono>
#include <expected>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/command/command.hpp"
#include "server/command/enclose.hpp"
#include "server/ice_server.hpp"
#include "server/inherited_sockets.hpp"
#include "server/journal.hpp"
#include "server/log.hpp"
#include "server/memory.hpp"
#include "server/server.hpp"
#include "server/start_error.hpp"

namespace yuelao::server {
namespace {

void log_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings)
    log_warning("configuration", {{"why", public_text(warning)}});
}

// What a person who just started yuelao needs next. The secret itself is not shown: a
// terminal or a journal keeps what it is shown.
void greet(const ReadyConfig& ready) {
  if (goes_to_journal(STDOUT_FILENO)) {
    log_info("`yuelao credentials --json` prints what to paste into a meeting system");
    return;
  }
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto server = make_ice_server(ready.config, {}, now);
  if (!server) throw StartError{server.error()};
  std::cout << to_json(*server) << "\n" << std::flush;
  std::cerr << "\nyuelao is serving. Paste the object above into `iceServers` of your meeting "
               "system; its credential is valid for 24 hours,\nand `yuelao credentials --json` "
               "prints a new one.\n";
  if (ready.secret_file) {
    std::cerr << "For credentials that never run out, give the meeting system the TURN REST "
                 "secret (\"static auth secret\") in\n"
              << ready.secret_file->string() << "\n";
  }
  if (ready.config.metrics) {
    std::cerr << "Paste it also into http://" << ready.config.metrics->to_string()
              << "/ in a browser, to see which ways to this server work.\n";
  }
  std::cerr << "\n";
}

}  // namespace

int serve(const StartOptions& options) {
  protect_memory();
  const auto addresses = std::make_shared<AddressBook>();
  const auto ready = make_ready(options, SecretUse::make_if_missing, *addresses);
  if (!ready) throw StartError{ready.error()};
  set_up_log(ready->config.log);
  if (!begun_anew()) log_warnings(ready->warnings);

  // A file that is gone is no wish for a server without any configuration.
  auto again = options;
  if (ready->config_file) again.config_file = *ready->config_file;
  // By value: the thread these run on may outlive the server.
  const auto reload = [again, addresses]() -> std::expected<config::Config, std::string> {
    auto fresh = make_ready(again, SecretUse::make_if_missing, *addresses);
    if (!fresh) return std::unexpected{std::move(fresh.error())};
    fresh->config.warnings = std::move(fresh->warnings);
    return std::move(fresh->config);
  };
  const auto locate = [addresses](const config::Config& config, AddressWatch::Occasion occasion) {
    if (occasion == AddressWatch::Occasion::time) return std::optional{addresses->locate(config)};
    return addresses->locate_if_moved(config);
  };
  Server server{ready->config, reload, locate};
  auto sandbox = enclose(options, *ready);
  if (!ready->config_file) greet(*ready);
  return server.run(std::move(sandbox));
}

}  // namespace yuelao::server
