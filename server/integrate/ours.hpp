#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "server/integrate/system.hpp"

namespace yuelao::integrate {

// What a person said of this yuelao on the command line.
struct Place {
  std::string host;         // what clients are to call it; empty: not said
  std::string certificate;  // PEM files; both or none
  std::string key;
  std::vector<std::string> media_servers;  // addresses clients must reach
};

// Credentials that are in yuelao's state directory and not in its configuration; the file
// names are absolute. Empty where the configuration has what the system needs.
struct StoredCredentials {
  std::string secret_file;
  std::string user;
  std::string password_file;
};

// A key at the left edge of yuelao's configuration, with its value.
struct Entry {
  std::string key;
  std::string text;  // whole lines
};

// What yuelao.yaml has to say for `system` and does not say in `running`; `file_exists`
// says whether there is one. In the order of config/yuelao.yaml.
std::vector<Entry> missing_entries(const System& system, const Place& place,
                                   const StoredCredentials& stored, const config::Config& running,
                                   bool file_exists);

// The services of `config`, best first: UDP, TCP, TLS. `turns_port` is where a proxy in
// front takes TLS for yuelao.
std::vector<Service> services(const config::Config& config,
                              std::optional<std::uint16_t> turns_port);

}  // namespace yuelao::integrate
