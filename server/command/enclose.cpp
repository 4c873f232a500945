#include "server/command/enclose.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "server/command/state.hpp"
#include "server/inherited_sockets.hpp"
#include "server/log.hpp"
#include "server/printable.hpp"
#include "server/sandbox/places.hpp"

namespace yuelao::server {
namespace {

// Where the server keeps its own secret, if there is such a directory.
std::optional<std::filesystem::path> existing_state_directory(const StartOptions& options,
                                                              const config::Config& config) {
  const auto directory = state_directory(options.state_directory.empty() ? config.state_directory
                                                                         : options.state_directory);
  std::error_code error;
  if (!directory) return std::nullopt;
  auto found = std::filesystem::canonical(*directory, error);
  if (error || shared_with_everybody(found)) return std::nullopt;
  return found;
}

// What a reload reads anew.
std::vector<std::filesystem::path> files_of(const ReadyConfig& ready) {
  auto files = ready.config.secret_files;
  files.push_back(ready.config_file.value_or(usual_config_file));
  if (ready.secret_file) files.push_back(*ready.secret_file);
  if (ready.config.tls) {
    files.push_back(ready.config.tls->certificate);
    files.push_back(ready.config.tls->key);
  }
  return files;
}

// Root without capabilities reads what belongs to root, as everybody reads their own.
void warn_of_unreadable(const std::vector<std::filesystem::path>& files) {
  for (const auto& file : files) {
    if (::access(file.c_str(), R_OK) == 0 || errno != EACCES) continue;
    log_warning(
        "a reload will find a file closed that only root's privileges opened: make it "
        "readable for the user yuelao runs as",
        {{"file", public_text(printable(file.string()))}});
  }
}

}  // namespace

Sandbox enclose(const StartOptions& options, const ReadyConfig& ready) {
  if (!ready.config.sandbox) {
    log_warning("no sandbox: `sandbox` is off");
    return {};
  }
  if (capabilities_stick() && !begun_anew()) {
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    const auto error = begin_anew();
    log_warning("cannot begin anew to give up capabilities",
                {{"why", public_text(error.message())}});
  }
  const auto files = files_of(ready);
  Places places{.read = places_of_the_system(), .write = {}};
  for (const auto& file : files)
    std::ranges::move(places_of(file), std::back_inserter(places.read));
  if (auto state = existing_state_directory(options, ready.config)) {
    places.write.push_back(*std::move(state));
  }
  auto sandbox = enter_sandbox(places);
  if (sandbox.missing.empty()) {
    log_info("sandbox", {{"layers", public_text(sandbox.names())}});
  } else {
    log_info("sandbox",
             {{"layers", public_text(sandbox.names())}, {"missing", public_text(sandbox.missing)}});
  }
  warn_of_unreadable(files);
  return sandbox;
}

}  // namespace yuelao::server
