#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/bench/flows.hpp"

namespace yuelao::bench {

// Forwards by io_uring: one ring receives (multishot) from all sockets and sends, and one call
// submits what a round sends and waits for the next.
class RingForwarder {
 public:
  // Throws std::system_error where the kernel has no such ring for us.
  explicit RingForwarder(const Endpoint& at);
  RingForwarder(const RingForwarder&) = delete;
  RingForwarder& operator=(const RingForwarder&) = delete;
  ~RingForwarder();

  [[noreturn]] void run();

 private:
  io_uring_sqe& next_entry();
  void receive_from(const UdpSocket& socket, std::uint64_t label);
  void take(const io_uring_cqe& done);
  void forward(std::uint64_t label, void* buffer, int size);
  void send(const UdpSocket& from, Bytes datagram, const KernelAddress& to);
  void give_back(std::uint16_t buffer);

  Flows flows_;
  io_uring ring_{};
  msghdr shape_{};  // of what is received
  io_uring_buf_ring* buffers_ = nullptr;
  std::unique_ptr<std::byte[]> memory_;
  std::vector<std::uint16_t> used_;  // until what they hold was sent
};

}  // namespace yuelao::bench
