#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/port_range.hpp"
#include "protocol/random.hpp"
#include "protocol/turn/outbox.hpp"

namespace yuelao::server {

// The part of `range` that belongs to shard `index` of `count`: no port is anybody
// else's. Shards get neighbours, so that a pair of ports (EVEN-PORT) is one shard's.
// Requires count <= range.size().
PortRange slice_of(PortRange range, unsigned index, unsigned count);

// The ports of one address that one shard may open relays on and does not use yet.
class RelayPorts {
 public:
  // `random` outlives this.
  RelayPorts(PortRange range, Random& random);

  // Any free port with equal chance (RFC 8656 §7.2 asks for RFC 6056's randomness: who
  // cannot guess the port cannot aim at it). Empty when all that would do are in use.
  std::optional<std::uint16_t> take(turn::Parity parity = turn::Parity::any);
  // An even port and the next higher one (RFC 8656 §7.2's pair), any of them with equal
  // chance: the even one. Empty when no two such ports are free.
  std::optional<std::uint16_t> take_pair();
  void give_back(std::uint16_t port) { free_.push_back(port); }

  std::size_t free() const { return free_.size(); }

 private:
  std::size_t draw() const;
  std::uint16_t take_at(std::size_t index);

  Random* random_;
  std::vector<std::uint16_t> free_;
};

}  // namespace yuelao::server
