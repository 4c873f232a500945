#include "server/reload.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

namespace yuelao::server {
namespace {

bool same(const config::Listen& a, const config::Listen& b) {
  return std::tie(a.transport, a.address, a.port) == std::tie(b.transport, b.address, b.port);
}

bool same_ports(const config::Relay& a, const config::Relay& b) {
  return std::tie(a.first_port, a.last_port) == std::tie(b.first_port, b.last_port);
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::ranges::equal(a, b, [](const T& x, const T& y) { return same(x, y); });
}

}  // namespace

std::string restart_keys(const config::Config& running, const config::Config& fresh) {
  std::string keys;
  const auto compare = [&](const char* key, bool unchanged) {
    if (!unchanged) keys += (keys.empty() ? "" : ", ") + std::string{key};
  };
  compare("listen", same(running.listen, fresh.listen));
  compare("threads", running.threads == fresh.threads);
  compare("poller", running.poller == fresh.poller);
  compare("sandbox", running.sandbox == fresh.sandbox);
  compare("behavior_discovery", running.turn.behavior_discovery == fresh.turn.behavior_discovery);
  compare("relay.ports", same_ports(running.relay, fresh.relay));
  compare("credentials.listen", running.credentials.listen == fresh.credentials.listen);
  compare("metrics", running.metrics == fresh.metrics);
  return keys;
}

void keep_until_restart(const config::Config& running, config::Config& fresh) {
  fresh.listen = running.listen;
  fresh.threads = running.threads;
  fresh.poller = running.poller;
  fresh.sandbox = running.sandbox;
  fresh.turn.behavior_discovery = running.turn.behavior_discovery;
  fresh.relay.first_port = running.relay.first_port;
  fresh.relay.last_port = running.relay.last_port;
  fresh.credentials.listen = running.credentials.listen;
  fresh.metrics = running.metrics;
  fresh.turn.nonce_key = running.turn.nonce_key;
}

std::string explained(std::string reason, const Sandbox& sandbox) {
  // The kernel gives the same error for a file of somebody else's.
  const bool refused = reason.contains(std::strerror(EACCES));
  if (!refused || !sandbox.has(SandboxLayer::files)) return reason;
  return reason +
         " A server that runs uses only the files that were named at its start, and what lies "
         "beside "
         "them (`sandbox`): restart it to have it use others.";
}

}  // namespace yuelao::server
