#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::turn {

// Which relayed transport addresses are live anywhere on this server: those are legal
// peers, the other ports of the same addresses are not (two relay-only clients that
// meet here; Jitsi's pre-call test). All shards share one: a bit a port, relaxed
// atomics, no lock.
class RelayDirectory {
 public:
  explicit RelayDirectory(std::vector<RelayAddress> addresses);

  void add(const Endpoint& advertised) { set(advertised, true); }
  void remove(const Endpoint& advertised) { set(advertised, false); }
  // `peer` may name the advertised or the bound address.
  bool live(const Endpoint& peer) const;

  // Behind a 1:1 NAT a datagram to an advertised address would have to hairpin; it is
  // sent to the bound address instead, and its source is read back as advertised.
  Endpoint to_bound(const Endpoint& peer) const;
  Endpoint to_advertised(const Endpoint& peer) const;

  // Whether relays are opened on `address`, advertised or bound; whether on any of `family`.
  bool has(const IpAddress& address) const;
  bool serves(Family family) const;
  const std::vector<RelayAddress>& addresses() const { return addresses_; }

 private:
  using Ports = std::array<std::atomic<std::uint64_t>, 65536 / 64>;

  void set(const Endpoint& advertised, bool live);
  std::optional<std::size_t> find(const IpAddress& address) const;

  std::vector<RelayAddress> addresses_;
  std::unique_ptr<Ports[]> ports_;
};

}  // namespace yuelao::turn
