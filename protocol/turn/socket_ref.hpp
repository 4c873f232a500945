#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "protocol/endpoint.hpp"

namespace yuelao::turn {

// Which of a server's engines: each belongs to one shard.
using ShardNumber = std::uint8_t;

// An index into a table whose slots are used again, with the slot's generation: a
// late event for what used the slot before misses instead of hitting its successor.
struct RelayId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  friend constexpr auto operator<=>(RelayId, RelayId) = default;
};

// One of the server's sockets. Listeners and streams are numbered by the server and
// only handed back by the engine; a relay's number is the engine's RelayId.
struct SocketRef {
  enum class Kind : std::uint8_t { listener, stream, relay };
  Kind kind = Kind::listener;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;

  static constexpr SocketRef listener(std::uint32_t index) { return {Kind::listener, index, 0}; }
  static constexpr SocketRef stream(std::uint32_t index, std::uint32_t generation) {
    return {Kind::stream, index, generation};
  }
  static constexpr SocketRef relay(RelayId id) { return {Kind::relay, id.index, id.generation}; }
  friend constexpr auto operator<=>(SocketRef, SocketRef) = default;
};

// Where a client's message came in, and so where its answer goes out. It is also what an
// allocation belongs to (RFC 8656 §3.2): behind a proxy a stream's five-tuple is hearsay,
// and two connections that claim the same one stay two clients.
struct ClientPath {
  SocketRef socket;
  FiveTuple tuple;
  // Whose socket it is, where that is not the engine's own shard: of a client that moves between
  // two (RFC 8016). Empty for all that comes in.
  std::optional<ShardNumber> shard{};

  friend constexpr bool operator==(const ClientPath&, const ClientPath&) = default;
};
// For boost::unordered. Paths that differ in the socket alone are rare.
inline std::size_t hash_value(const ClientPath& path) { return hash_value(path.tuple); }

}  // namespace yuelao::turn
