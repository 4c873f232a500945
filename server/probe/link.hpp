#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "protocol/bytes.hpp"
#include "protocol/client/turn_client.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "server/probe/tls.hpp"

namespace yuelao::probe {

// A connection to the server that carries whole messages. Nothing blocks but send(), and
// that until its deadline.
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  virtual client::Carrier carrier() const = 0;
  virtual int descriptor() const = 0;
  virtual void send(Bytes message, SteadyTime deadline) = 0;
  // The next message, which lives until the next call; empty when there is none yet. Wait
  // for the descriptor only after that: a TLS session may hold more than the kernel does.
  virtual Bytes receive() = 0;

  // What ended the link, as errno(3); 0 while it lives. ENODATA: the server closed it.
  // EBADMSG: it sent what is neither STUN nor ChannelData. A datagram that somebody
  // refused ends it too.
  int error() const { return error_; }
  Endpoint local() const;

 protected:
  void fail(int error) {
    if (error_ == 0) error_ = error;
  }

 private:
  int error_ = 0;
};

// One transport to one address of the server's.
struct Place {
  Transport transport{};
  Endpoint server;
  friend bool operator==(const Place&, const Place&) = default;
};

struct LinkError {
  int error = 0;          // errno(3); ETIMEDOUT: nothing came back
  std::string handshake;  // why there is no TLS, after TCP had connected
};

struct OpenLink {
  std::unique_ptr<Link> link;
  std::chrono::microseconds connected_after{};  // of TCP; zero for UDP and DTLS
  std::optional<Certificate> certificate;
};

// Connects. `trust` and `peer` are for Transport::tls and Transport::dtls.
std::expected<OpenLink, LinkError> open_link(const Place& place, const Trust& trust, TlsPeer peer,
                                             SteadyTime deadline);

}  // namespace yuelao::probe
