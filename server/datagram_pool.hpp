#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <span>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "server/packet_memory.hpp"
#include "server/socket_address.hpp"

namespace yuelao::server {

// What was received at once: a datagram, or several of one flow that the kernel merged
// (UDP_GRO). `payload` lives in its slot until the pool is reset, and whoever takes a datagram
// may write over it.
struct Received {
  Endpoint from;
  IpAddress to;  // the address it was sent to; unspecified unless the socket tells
  MutableBytes payload;
  // Of each datagram in the payload but the last, which may be shorter. 0: there is
  // but one.
  std::size_t segment_bytes = 0;

  std::size_t datagrams() const {
    return segment_bytes == 0 ? 1 : (payload.size() + segment_bytes - 1) / segment_bytes;
  }
  // Calls visit(MutableBytes) with each datagram, in the order they came.
  template <class Visit>
  void for_each_datagram(Visit visit) const {
    MutableBytes rest = payload;
    for (; segment_bytes != 0 && rest.size() > segment_bytes; rest = rest.subspan(segment_bytes)) {
      visit(rest.first(segment_bytes));
    }
    visit(rest);
  }
};

// A message as somebody else received it: `header` has the source and the control messages.
struct RawMessage {
  msghdr header{};
  MutableBytes payload;
};

// The memory a shard receives datagrams into, with the kernel's headers for it already
// filled in. Slots are handed out in order and given back all at once, when nothing
// that was decided about them is still to be sent.
class DatagramPool {
 public:
  static constexpr std::size_t slot_count = 128;
  // The longest UDP datagram there is, so that none is ever truncated, merged or not. Pages of a
  // slot that no datagram has reached cost nothing.
  static constexpr std::size_t slot_bytes = 65536;

  DatagramPool();
  DatagramPool(const DatagramPool&) = delete;
  DatagramPool& operator=(const DatagramPool&) = delete;

  std::size_t free() const { return slot_count - used_; }
  void reset() { used_ = 0; }

  // For UdpSocket: up to `limit` headers ready for recvmmsg(2), and then as many of
  // them as were filled. The span lives until reset().
  std::span<mmsghdr> prepare(std::size_t limit);
  std::span<Received> take(std::size_t count);
  // For a stream: a slot's memory, taken. There must be a free one.
  MutableBytes take_slot();

 private:
  // An odd number of cache lines more than a slot: slots whose distance is a power of
  // two would all compete for the same lines.
  static constexpr std::size_t slot_stride = slot_bytes + std::size_t{25} * 64;
  static constexpr std::size_t control_bytes = 128;

  PacketMemory memory_{slot_count * slot_stride};
  std::array<SocketAddress, slot_count> sources_;
  alignas(cmsghdr) std::array<std::array<std::byte, control_bytes>, slot_count> controls_;
  std::array<iovec, slot_count> vectors_{};
  std::array<mmsghdr, slot_count> headers_{};
  std::array<Received, slot_count> received_;
  std::size_t used_ = 0;
};

}  // namespace yuelao::server
