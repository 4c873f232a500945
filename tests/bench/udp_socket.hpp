#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"

namespace yuelao::bench {

// An Endpoint as the kernel's calls want it.
struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
KernelAddress kernel_address(const Endpoint& endpoint);
Endpoint endpoint_of(const KernelAddress& address);

void set_non_blocking(int descriptor);

// Received datagrams, in memory that is used again and again. What the kernel merged
// (UDP_GRO) is taken apart.
class Inbox {
 public:
  Inbox();

  std::size_t count() const { return datagrams_.size(); }
  Bytes operator[](std::size_t i) const { return datagrams_[i]; }

 private:
  friend class UdpSocket;
  static constexpr std::size_t capacity = 32;
  static constexpr std::size_t slot_bytes = 65536;

  void take_apart(std::size_t slot);

  std::vector<std::byte> octets_;
  std::vector<std::byte> control_;
  std::vector<iovec> slots_;
  std::vector<mmsghdr> headers_;
  std::vector<Bytes> datagrams_;
};

// A non-blocking UDP socket. Errors that are the test bed's throw std::system_error;
// a datagram the kernel does not take is reported as not sent.
class UdpSocket {
 public:
  // Bound to `local`, whose port may be 0. `merge`: the kernel may give several datagrams
  // as one (UDP_GRO).
  explicit UdpSocket(const Endpoint& local, bool merge = true);
  ~UdpSocket();
  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&&) = delete;
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  int descriptor() const { return descriptor_; }
  Endpoint local() const;
  bool send(Bytes datagram, const Endpoint& to);
  // `datagrams` is a row of datagrams of `segment_bytes` each: one crossing for all.
  bool send_segmented(Bytes datagrams, std::uint16_t segment_bytes, const Endpoint& to);
  // Fills `inbox` with what has arrived.
  void receive(Inbox& inbox);

 private:
  int descriptor_ = -1;
};

// Which of many sockets have something to read.
class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void add(int descriptor, std::uint32_t label);
  // The labels of ready sockets, at most 256; waits no longer than `timeout_ns`.
  std::span<const std::uint32_t> wait(std::int64_t timeout_ns);

 private:
  int descriptor_ = -1;
  std::vector<std::uint32_t> ready_;
};

}  // namespace yuelao::bench
