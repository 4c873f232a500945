#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "server/ice_server.hpp"
#include "server/machine.hpp"
#include "server/probe/report.hpp"
#include "server/probe/tls.hpp"

// Whether the server that runs with this configuration does what it is there for, seen
// from its own machine.
namespace yuelao::check {

using probe::Step;
using probe::Verdict;

struct Options {
  // Media servers that clients have to reach, beside the single addresses that
  // `peers.allow` names.
  std::vector<IpAddress> peers;
  // Asked how the Internet sees this machine; nobody is asked where it is empty.
  std::optional<config::StunServer> stun;
  probe::Trust trust;  // which certificates clients believe
  server::Machine machine;
  // Told what is being waited for, a line without its end at a time. May be empty.
  std::function<void(std::string_view)> progress;
};

struct Report {
  // In the order in which one thing needs the other; `name` is one of docs/check.md's.
  std::vector<Step> steps;

  // Nothing failed.
  bool works() const;
};

// `config` has its addresses resolved; `ice` is what clients get for it. Blocks, for ten
// seconds a URL at most, and does not throw for what the server or the network does. The
// process ignores SIGPIPE.
Report check(const config::Config& config, const server::IceServer& ice, const Options& options);

// For people: a line for each step, and one that sums up.
std::string to_text(const Report& report);
// For scripts: docs/check.md says what the members mean.
std::string to_json(const Report& report);

}  // namespace yuelao::check
