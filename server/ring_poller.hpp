#pragma once

#include <liburing.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <utility>
#include <vector>

#include "server/epoll_poller.hpp"
#include "server/packet_memory.hpp"
#include "server/poller.hpp"

namespace yuelao::server {

// An io_uring (io_uring(7)) for what a relay does most: it receives from UDP sockets into
// buffers of its own (a multishot request each) and sends, and the one call that waits submits
// it all. Streams and the bell are in an epoll that the ring watches: their octets take calls
// of their own in any case.
//
// A ring belongs to the thread that calls begin(). The queue of completions may overflow: then
// the kernel keeps what is too many, and failures come late.
class RingPoller final : public Poller {
 public:
  // A message a send, and twice as many when each of them receives an answer.
  static constexpr std::size_t round_limit = 64;

  // Errors: of the kernel, which is older than Linux 6.1 (EINVAL) or was told to refuse (EPERM,
  // ENOSYS in containers).
  static std::expected<std::unique_ptr<RingPoller>, std::error_code> open();
  ~RingPoller() override;

  std::string_view name() const override { return "io_uring"; }
  void begin() override;
  void end() override;

  std::error_code add(int descriptor, turn::SocketRef ref) override;
  void remove(turn::SocketRef ref) override;
  std::error_code watch(int descriptor, turn::SocketRef ref, Interest interest) override {
    return others_.watch(descriptor, ref, interest);
  }
  void rearm(int descriptor, turn::SocketRef ref) override;

  std::span<const Event> wait(std::chrono::milliseconds at_most) override;
  void release() override;
  bool rung() const override { return others_rung_; }
  void ring() override { others_.ring(); }

  bool posts() const override { return true; }
  void post(int descriptor, const msghdr& message, std::uint32_t tag) override;
  void submit() override;
  std::span<const Failure> take_failures() override {
    return {failures_.data(), std::exchange(failure_count_, 0)};
  }

 private:
  static constexpr std::size_t buffer_count = 256;  // a power of two
  // Each has room for what the kernel says of a message, and the longest there is.
  static constexpr std::size_t buffer_bytes = 65'536 + 512;
  // Slots whose distance is a power of two would compete for the same cache lines.
  static constexpr std::size_t buffer_stride = buffer_bytes + std::size_t{17} * 64;
  static constexpr std::size_t failure_limit = 256;

  struct Waiting {
    int descriptor;
    turn::SocketRef ref;
  };

  RingPoller();
  std::error_code set_up();

  io_uring_sqe& next_entry();
  void submit_all();
  void watch_others();
  void give_back(std::uint16_t buffer, int offset);
  RawMessage* read(std::uint16_t buffer, int size);
  unsigned completions_end() const;
  const io_uring_cqe& completion(unsigned at) const;
  void note_failures();
  void take_completions();
  void take_datagram(const io_uring_cqe& done);
  void take_others();
  bool ended(turn::SocketRef ref, unsigned since) const;

  io_uring ring_{};
  bool open_ = false;
  bool begun_ = false;
  EpollPoller others_;
  bool others_watched_ = false;
  bool others_ready_ = false;
  bool others_rung_ = false;
  std::vector<Waiting> waiting_;  // for begin()

  msghdr shape_{};  // of what is received
  PacketMemory memory_{buffer_count * buffer_stride};
  io_uring_buf_ring* buffers_ = nullptr;
  std::array<std::uint16_t, buffer_count> used_{};  // not given back, the oldest first
  std::size_t used_count_ = 0;
  std::size_t old_count_ = 0;  // of them, those from before the last wait()

  unsigned looked_at_ = 0;  // completions whose failures are known
  std::array<Failure, failure_limit> failures_{};
  std::size_t failure_count_ = 0;

  std::array<RawMessage, round_limit> messages_{};
  std::array<Event, round_limit + EpollPoller::round_limit> ready_{};
  std::size_t ready_count_ = 0;
};

}  // namespace yuelao::server
