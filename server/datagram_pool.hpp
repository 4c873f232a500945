#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "server/socket_address.hpp"

namespace yuelao::server {

// One received datagram. `payload` lives in its slot until the pool is reset.
struct Datagram {
  Endpoint from;
  IpAddress to;  // the address it was sent to; unspecified unless the socket tells
  Bytes payload;
};

// The memory a shard receives datagrams into, with the kernel's headers for it already
// filled in. Slots are handed out in order and given back all at once, when nothing
// that was decided about them is still to be sent.
class DatagramPool {
 public:
  static constexpr std::size_t slot_count = 128;
  // The longest UDP datagram there is, so that none is ever truncated. Pages of a slot
  // that no datagram has reached cost nothing.
  static constexpr std::size_t slot_bytes = 65536;

  DatagramPool();
  DatagramPool(const DatagramPool&) = delete;
  DatagramPool& operator=(const DatagramPool&) = delete;

  std::size_t free() const { return slot_count - used_; }
  void reset() { used_ = 0; }

  // For UdpSocket: up to `limit` headers ready for recvmmsg(2), and then as many of
  // them as were filled. The span of datagrams lives until reset().
  std::span<mmsghdr> prepare(std::size_t limit);
  std::span<Datagram> take(std::size_t received);

 private:
  // An odd number of cache lines more than a slot: slots whose distance is a power of
  // two would all compete for the same lines.
  static constexpr std::size_t slot_stride = slot_bytes + std::size_t{25} * 64;
  static constexpr std::size_t control_bytes = 128;

  std::unique_ptr<std::byte[]> memory_;
  std::array<SocketAddress, slot_count> sources_;
  alignas(cmsghdr) std::array<std::array<std::byte, control_bytes>, slot_count> controls_;
  std::array<iovec, slot_count> vectors_{};
  std::array<mmsghdr, slot_count> headers_{};
  std::array<Datagram, slot_count> datagrams_;
  std::size_t used_ = 0;
};

}  // namespace yuelao::server
