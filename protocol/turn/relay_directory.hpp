#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/options.hpp"
#include "protocol/turn/socket_ref.hpp"

namespace yuelao::turn {

// Which relayed transport addresses are live anywhere on this server, and in which shard:
// those are legal peers, the other ports of the same addresses are not (two relay-only
// clients that meet here; Jitsi's pre-call test).
//
// Ports for UDP and for TCP are drawn from the same ones: no port is live for both.
//
// A copy knows the same relays: which ports are live is shared among copies, two octets a
// port, relaxed atomics, no lock. The list of addresses is each copy's own, so that a
// shard's never changes under it.
class RelayDirectory {
 public:
  explicit RelayDirectory(const std::vector<RelayAddress>& addresses);

  // From now on relays are opened on `addresses`. What is live on others stays known by
  // the address its client was told, until a later call finds nothing live there.
  void follow(const std::vector<RelayAddress>& addresses);

  // Shards have numbers below this.
  static constexpr std::size_t most_shards = 255;

  // Notes a relay that `shard` opened on `bound`; the address its client is told.
  Endpoint add(const Endpoint& bound, ShardNumber shard,
               RelayTransport transport = RelayTransport::udp);
  // `advertised` is what add() gave for a relay on `bound`.
  void remove(const Endpoint& advertised, const IpAddress& bound);
  // `peer` may name the advertised or the bound address.
  bool live(const Endpoint& peer) const { return owner(peer).has_value(); }
  // The same for a relay that takes TCP connections (RFC 6062).
  bool takes_connections(const Endpoint& peer) const;
  // The shard it lives in; empty where no relay for UDP is live.
  std::optional<ShardNumber> owner(const Endpoint& peer) const;

  // Behind a 1:1 NAT a datagram to an advertised address would have to hairpin; it is
  // sent to the bound address instead, and its source is read back as advertised. Of an
  // address that relays are no longer opened on, only live ones are translated: the
  // rest of it may be somebody else's by now.
  Endpoint to_bound(const Endpoint& peer) const;
  Endpoint to_advertised(const Endpoint& peer) const;

  // Whether relays are or were opened on `address`, advertised or bound; whether new ones
  // are on any of `family`.
  bool has(const IpAddress& address) const;
  bool serves(Family family) const;
  // Whether relays are opened on it, a bound address, now.
  bool opens_on(const IpAddress& bound) const;
  // Whether nothing is known any more of addresses that relays are no longer opened on.
  bool settled() const;
  // Every address that has() knows, some of them twice.
  std::vector<IpAddress> addresses() const;

 private:
  // By port: 0, or one more than the number of the shard whose relay is live there, and whether
  // that is for TCP.
  using Ports = std::array<std::atomic<std::uint16_t>, 65536>;
  static constexpr std::uint16_t for_tcp = 0x100;

  // Current ones first; a pair of addresses once.
  struct Entry {
    RelayAddress address;
    bool current = true;
    std::shared_ptr<Ports> ports;

    std::uint16_t at(std::uint16_t port) const;
    bool live(std::uint16_t port) const { return at(port) != 0; }
    bool idle() const;
  };

  // The entry that answers for `peer`: where its port is live, else a current one.
  template <class Matches>
  const Entry* find(std::uint16_t port, Matches matches) const;

  std::vector<Entry> entries_;
};

}  // namespace yuelao::turn
