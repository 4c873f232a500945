#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/check/check.hpp"
#include "server/probe/link.hpp"
#include "server/probe/report.hpp"

// What check() is made of, a file each.
namespace yuelao::check {

using Steps = std::vector<Step>;

// Where relays are opened, what clients are told of it, and where the names in `urls`
// lead.
Steps check_addresses(const config::Config& config, const std::vector<std::string>& urls,
                      const Options& options);

struct Listeners {
  Steps steps;
  std::optional<int> process;  // yuelao's, where it has a port
};
// Who has each port that the configuration names.
Listeners check_listeners(const config::Config& config);

// The files of the certificate, and whether the server in `reports` shows that one.
Steps check_certificate(const config::Config& config, const std::vector<probe::Report>& reports);

struct Urls {
  Steps steps;
  std::vector<probe::Report> reports;
};
// Each URL as a client uses it, and where that fails, the listener that it is for.
Urls check_urls(const config::Config& config, const server::IceServer& ice, const Options& options);

// A way to the server that worked.
struct Door {
  probe::Place place;
  std::string host;  // for TLS
};
std::optional<Door> open_door(const std::vector<probe::Report>& reports);

// Whether clients are let through to whom they need, and to nobody in this machine.
Steps check_peers(const config::Config& config, const server::IceServer& ice, const Door& door,
                  const Options& options);

// Which layers of its sandbox the running server says of itself that hold, in its metrics.
Step check_sandbox(const config::Config& config);

// Whether the web server that shares the ports answers.
Steps check_web_server(const config::WebServer& web_server, const Options& options);

}  // namespace yuelao::check
