#pragma once

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "server/file_descriptor.hpp"

namespace yuelao::test {

using Octets = std::vector<std::byte>;

Octets to_octets(Bytes bytes);

inline const IpAddress loopback = IpAddress::v4({127, 0, 0, 1});
inline const std::array loopbacks{loopback, *IpAddress::parse("::1")};

// Long enough for a loaded machine under a sanitizer; reached only when a test fails.
inline constexpr std::chrono::seconds patience{20};

// A system call, once more when it was interrupted: one with a time limit is not begun again by the
// kernel (signal(7)), and io_uring interrupts this thread when a ring it had is taken apart.
template <class Call>
auto uninterrupted(Call call) {
  while (true) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

// The client's or the peer's end of a connection, blocking, each wait bounded.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void send(Bytes message) = 0;
  // The next whole message; empty when the server has closed the connection, or said
  // nothing for `wait`.
  virtual std::optional<Octets> receive(std::chrono::milliseconds wait = patience) = 0;
};

// A UDP socket on loopback, of the family of the address it is given.
class UdpWire final : public Wire {
 public:
  // Bound to `local` (port 0: any) and talking to whom send_to() and `server` name.
  explicit UdpWire(const Endpoint& local);
  UdpWire(const IpAddress& local, const Endpoint& server);

  void send(Bytes message) override { send_to(server_, message); }
  void send_to(const Endpoint& to, Bytes message);
  std::optional<Octets> receive(std::chrono::milliseconds wait = patience) override;

  Endpoint local() const;
  // Where the last message that was received came from.
  const Endpoint& source() const { return source_; }

 private:
  server::FileDescriptor socket_;
  Endpoint server_;
  Endpoint source_;
};

// A TCP connection, cut into messages as RFC 8656 §12.5 says.
class TcpWire : public Wire {
 public:
  explicit TcpWire(const Endpoint& server);

  void send(Bytes message) override;
  std::optional<Octets> receive(std::chrono::milliseconds wait = patience) override;

  // Octets as they are, without framing; false when the server has closed.
  virtual bool write(Bytes octets);
  // True when the server closes the connection within `patience`.
  bool closed_by_server();
  int descriptor() const { return socket_.value(); }

 protected:
  // Octets read into the end of `received_`; false at the end of the stream or after
  // `wait`.
  virtual bool read_more(std::chrono::milliseconds wait);

  server::FileDescriptor socket_;
  Octets received_;
};

// The same inside TLS; the certificate is not checked.
class TlsWire final : public TcpWire {
 public:
  // `alpn`: one name to offer, or none. Not connected() when the handshake failed.
  explicit TlsWire(const Endpoint& server, std::string_view alpn = {}, int highest_version = 0);
  ~TlsWire() override;

  bool connected() const;
  std::string alpn() const;
  std::string version() const;
  bool write(Bytes octets) override;

 private:
  bool read_more(std::chrono::milliseconds wait) override;

  struct Session;
  std::unique_ptr<Session> session_;
};

}  // namespace yuelao::test
