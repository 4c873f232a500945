#include "server/serve.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <expected>
#include <iostream>
#include <string>

#include "server/ice_server.hpp"
#include "server/log.hpp"
#include "server/server.hpp"
#include "server/start_error.hpp"

namespace yuelao::server {
namespace {

void log_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings)
    log_warning("configuration", {{"why", public_text(warning)}});
}

// systemd.exec(5): names the stream that goes to the journal, as device:inode.
bool goes_to_journal(int descriptor) {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status{};
  if (!stream || ::fstat(descriptor, &status) != 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
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
  std::cerr << "\n";
}

}  // namespace

int serve(const StartOptions& options) {
  const auto ready = make_ready(options, SecretUse::make_if_missing);
  if (!ready) throw StartError{ready.error()};
  set_up_log(ready->config.log);
  log_warnings(ready->warnings);

  const auto reload = [&options]() -> std::expected<config::Config, std::string> {
    auto fresh = make_ready(options, SecretUse::make_if_missing);
    if (!fresh) return std::unexpected{std::move(fresh.error())};
    log_warnings(fresh->warnings);
    return std::move(fresh->config);
  };
  Server server{ready->config, reload};
  if (!ready->config_file) greet(*ready);
  return server.run();
}

}  // namespace yuelao::server
