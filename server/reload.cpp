#include "server/reload.hpp"

#include <algorithm>
#include <tuple>

namespace yuelao::server {
namespace {

bool same(const config::Listen& a, const config::Listen& b) {
  return std::tie(a.transport, a.address, a.port) == std::tie(b.transport, b.address, b.port);
}

bool same(const config::Relay& a, const config::Relay& b) {
  return std::tie(a.addresses, a.first_port, a.last_port) ==
         std::tie(b.addresses, b.first_port, b.last_port);
}

bool same(const turn::RelayAddress& a, const turn::RelayAddress& b) {
  return std::tie(a.advertised, a.bound) == std::tie(b.advertised, b.bound);
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
  compare("relay", same(running.relay, fresh.relay) &&
                       same(running.turn.relay_addresses, fresh.turn.relay_addresses));
  compare("metrics", running.metrics == fresh.metrics);
  return keys;
}

void keep_until_restart(const config::Config& running, config::Config& fresh) {
  fresh.listen = running.listen;
  fresh.threads = running.threads;
  fresh.relay = running.relay;
  fresh.metrics = running.metrics;
  fresh.turn.relay_addresses = running.turn.relay_addresses;
  fresh.turn.nonce_key = running.turn.nonce_key;
}

}  // namespace yuelao::server
