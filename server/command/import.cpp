#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>

#include "config/coturn.hpp"
#include "server/command/command.hpp"

namespace yuelao::server {
namespace {

// Far above any turnserver.conf; a device has no end.
constexpr std::size_t longest_file_bytes = 1024UL * 1024;

}  // namespace

int import_coturn(const std::string& name) {
  std::ifstream file{name, std::ios::binary};
  std::string text(longest_file_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) {
    return fail(name + " cannot be read (" + std::strerror(errno) +
                "): check its name and who may read it.");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > longest_file_bytes) {
    return fail(name + " is too long for a turnserver.conf: name another file.");
  }
  const auto yaml = config::import_coturn(text, name);
  if (!yaml) {
    // As compilers write it, so that editors find the place.
    std::cerr << yaml.error().to_string() << "\n";
    return failed;
  }
  std::cout << *yaml;
  return succeeded;
}

}  // namespace yuelao::server
