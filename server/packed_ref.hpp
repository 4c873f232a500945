#pragma once

#include <cstdint>

#include "protocol/turn/socket_ref.hpp"

namespace yuelao::server {

// A SocketRef in the 64 bits that the kernel carries for us: the generation, three bits for the
// kind, and the index. There are far fewer than 2^29 sockets.
inline constexpr unsigned packed_kind_shift = 29;
// No socket's kind: what a poller has besides sockets.
inline constexpr std::uint64_t packed_other = std::uint64_t{7} << packed_kind_shift;

constexpr std::uint64_t packed(turn::SocketRef ref) {
  return std::uint64_t{ref.generation} << 32U | std::uint64_t(ref.kind) << packed_kind_shift |
         ref.index;
}

constexpr bool packs_socket(std::uint64_t bits) { return (bits & packed_other) != packed_other; }

constexpr turn::SocketRef unpacked(std::uint64_t bits) {
  constexpr std::uint64_t index_mask = (std::uint64_t{1} << packed_kind_shift) - 1;
  return {static_cast<turn::SocketRef::Kind>(bits >> packed_kind_shift & 7U),
          static_cast<std::uint32_t>(bits & index_mask), static_cast<std::uint32_t>(bits >> 32U)};
}

}  // namespace yuelao::server
