#pragma once

#include <compare>
#include <cstdint>

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

// What a relay carries. One for TCP takes and makes connections (RFC 6062).
enum class RelayTransport : std::uint8_t { udp, tcp };

// RFC 6062 §6.2.1: of a connection with a peer, unique on the whole server: the number of the
// shard that has it, and 24 bits that nobody can guess.
using ConnectionId = std::uint32_t;
constexpr ShardNumber shard_of(ConnectionId id) { return static_cast<ShardNumber>(id >> 24U); }

// One of the server's sockets, or one client's DTLS association, which shares a listener with
// others. Listeners, streams and associations are numbered by the server and only handed back by
// the engine; a relay's number is the engine's RelayId, also of one that takes TCP connections, and
// those of a connection with a peer are its ConnectionId.
struct SocketRef {
  enum class Kind : std::uint8_t {
    listener,
    stream,
    association,
    relay,
    tcp_relay,
    peer,
    client_data
  };
  Kind kind = Kind::listener;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;

  static constexpr SocketRef listener(std::uint32_t index) { return {Kind::listener, index, 0}; }
  static constexpr SocketRef stream(std::uint32_t index, std::uint32_t generation) {
    return {Kind::stream, index, generation};
  }
  static constexpr SocketRef association(std::uint32_t index, std::uint32_t generation) {
    return {Kind::association, index, generation};
  }
  static constexpr SocketRef relay(RelayId id) { return {Kind::relay, id.index, id.generation}; }
  static constexpr SocketRef tcp_relay(RelayId id) {
    return {Kind::tcp_relay, id.index, id.generation};
  }
  // The two sides of a connection with a peer.
  static constexpr SocketRef peer(ConnectionId id) { return {Kind::peer, 0, id}; }
  static constexpr SocketRef client_data(ConnectionId id) { return {Kind::client_data, 0, id}; }
  // Whether it is UDP's; the others are TCP's.
  constexpr bool datagrams() const { return kind == Kind::listener || kind == Kind::relay; }
  friend constexpr auto operator<=>(SocketRef, SocketRef) = default;
};

// Where a client's message came in, and so where its answer goes out. It is also what an
// allocation belongs to (RFC 8656 §3.2): behind a proxy a stream's five-tuple is hearsay,
// and two connections that claim the same one stay two clients.
struct ClientPath {
  SocketRef socket;
  FiveTuple tuple;

  friend constexpr bool operator==(const ClientPath&, const ClientPath&) = default;
};
// For boost::unordered. Paths that differ in the socket alone are rare.
inline std::size_t hash_value(const ClientPath& path) { return hash_value(path.tuple); }

}  // namespace yuelao::turn
