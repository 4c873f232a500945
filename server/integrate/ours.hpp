#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "server/integrate/system.hpp"

namespace yuelao::integrate {

// How a system is to ask for credentials over HTTP, as a person said.
struct ApiPlace {
  std::optional<Endpoint> listen;  // unset: where yuelao listens already, or a usual place
  std::string url;                 // CredentialsApi's
  std::string origin;
};

// What a person said of this yuelao on the command line.
struct Place {
  std::string host;         // what clients are to call it; empty: not said
  std::string certificate;  // PEM files; both or none
  std::string key;
  std::vector<std::string> media_servers;  // addresses clients must reach
  std::optional<Endpoint> web_server;      // moves here, as yuelao takes port 443
  std::optional<ApiPlace> api;             // unset: nobody is to ask
};

// The configuration there is; of a file that is still to be made, the defaults.
struct Running {
  const config::Config& config;
  bool file_exists;
};

// Credentials that are in yuelao's state directory and not in its configuration; the file
// names are absolute. Empty where the configuration has what the system needs.
struct StoredCredentials {
  std::string secret_file;
  std::string user;
  std::string password_file;
  std::string api_key_file;
};

// A key at the left edge of yuelao's configuration, with its value.
struct Entry {
  std::string key;
  std::string text;  // whole lines
};

// What yuelao.yaml has to say for `system` and does not say in `running`. In the order of
// config/yuelao.yaml.
std::vector<Entry> missing_entries(const System& system, const Place& place,
                                   const StoredCredentials& stored, const Running& running);

// Where yuelao hands out credentials once those entries are in.
Endpoint api_listener(const ApiPlace& api, const config::Config& running);

// The services of `config`, best first: UDP, TCP, TLS. `turns_port` is where clients reach
// TLS if that is not its first listener: at a proxy in front, or at a port shared with a
// web server.
std::vector<Service> services(const config::Config& config,
                              std::optional<std::uint16_t> turns_port);

}  // namespace yuelao::integrate
