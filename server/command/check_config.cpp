#include <iostream>
#include <optional>
#include <string>

#include "config/load.hpp"
#include "server/command/command.hpp"
#include "server/tls_context.hpp"

namespace yuelao::server {
namespace {

// What keeps the certificate from being served, as compilers write it.
std::optional<std::string> fault_of(const config::TlsFiles& files) {
  try {
    load_tls_context(files);
    return std::nullopt;
  } catch (const TlsFileError& error) {
    const bool of_key = error.file() == TlsFileError::File::key;
    return (of_key ? files.key_place : files.certificate_place) + ": " + error.what();
  }
}

}  // namespace

int check_config(StartOptions options, const std::string& named) {
  if (!named.empty()) options.config_file = named;
  const auto file = config_file(options);
  if (!file) return fail("there is no configuration to check: name a file.");
  const auto config = config::load(*file);
  if (!config) {
    // As compilers write it, so that editors find the place.
    std::cerr << config.error().to_string() << "\n";
    return failed;
  }
  if (const auto fault = config->tls ? fault_of(*config->tls) : std::nullopt) {
    std::cerr << *fault << "\n";
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

}  // namespace yuelao::server
