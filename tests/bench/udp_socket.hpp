#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"

namespace yuelao::bench {

// Received datagrams, up to `capacity` at a time, in memory that is used again and again.
class Inbox {
 public:
  Inbox();
  static constexpr std::size_t capacity = 32;
  static constexpr std::size_t slot_bytes = 2048;

  std::size_t count() const { return count_; }
  Bytes operator[](std::size_t i) const;

 private:
  friend class UdpSocket;
  std::vector<std::byte> octets_;
  std::vector<iovec> slots_;
  std::vector<mmsghdr> headers_;
  std::size_t count_ = 0;
};

// A non-blocking UDP socket. Errors that are the test bed's throw std::system_error;
// a datagram the kernel does not take is reported as not sent.
class UdpSocket {
 public:
  // Bound to an ephemeral port of `local`.
  explicit UdpSocket(const IpAddress& local);
  ~UdpSocket();
  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&&) = delete;
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  int descriptor() const { return descriptor_; }
  Endpoint local() const;
  // Receives from nobody else from now on.
  void connect(const Endpoint& to);

  bool send(Bytes datagram, const Endpoint& to);
  // `datagrams` is a row of datagrams of `segment_bytes` each: one crossing for all.
  bool send_segmented(Bytes datagrams, std::uint16_t segment_bytes, const Endpoint& to);
  // Fills `inbox` with what has arrived. False when nothing more was there.
  bool receive(Inbox& inbox);

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

  void add(const UdpSocket& socket, std::uint32_t label);
  // The labels of ready sockets, at most 256; waits no longer than `timeout_ns`.
  std::span<const std::uint32_t> wait(std::int64_t timeout_ns);

 private:
  int descriptor_ = -1;
  std::vector<std::uint32_t> ready_;
};

}  // namespace yuelao::bench
