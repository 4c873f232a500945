#include "tests/bench/client_link.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "protocol/turn/stream_framing.hpp"

namespace yuelao::bench {
namespace {

constexpr std::size_t longest_message = 4096;
constexpr int patience_ms = 10'000;

class UdpLink final : public ClientLink {
 public:
  explicit UdpLink(const Plan& plan) : socket_{{plan.local, 0}}, server_{plan.server} {}

  int descriptor() const override { return socket_.descriptor(); }
  void send(Bytes messages, std::size_t message_bytes) override {
    if (messages.size() <= message_bytes) {
      socket_.send(messages, server_);
    } else {
      socket_.send_segmented(messages, static_cast<std::uint16_t>(message_bytes), server_);
    }
  }
  void receive(Inbox& inbox, const Taker& take) override {
    socket_.receive(inbox);
    for (std::size_t i = 0; i < inbox.count(); ++i) take(inbox[i]);
  }

 private:
  UdpSocket socket_;
  Endpoint server_;
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

// A stream of frames over something that reads and writes octets.
class StreamLink : public ClientLink {
 public:
  explicit StreamLink(const Plan& plan) : descriptor_{connect(plan)}, received_(1 << 17) {}
  ~StreamLink() override { ::close(descriptor_); }

  int descriptor() const override { return descriptor_; }
  void send(Bytes messages, std::size_t /*message_bytes*/) override {
    while (!messages.empty()) {
      const auto count = write(messages);
      if (count > 0) {
        messages = messages.subspan(static_cast<std::size_t>(count));
      } else {
        wait(POLLOUT);
      }
    }
  }
  void receive(Inbox& /*inbox*/, const Taker& take) override {
    for (;;) {
      const auto count = read(MutableBytes{received_}.subspan(filled_));
      if (count <= 0) return;
      filled_ += static_cast<std::size_t>(count);
      take_frames(take);
    }
  }

 protected:
  // How many octets were taken or given; 0: none for now.
  virtual std::ptrdiff_t write(Bytes octets) {
    const auto count = ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) fail("send");
    return count;
  }
  virtual std::ptrdiff_t read(MutableBytes octets) {
    const auto count = ::recv(descriptor_, octets.data(), octets.size(), 0);
    if (count == 0) throw std::runtime_error{"the server closed a connection"};
    if (count < 0 && errno != EAGAIN) fail("recv");
    return count;
  }
  void wait(short events) const {
    pollfd one{descriptor_, events, 0};
    if (::poll(&one, 1, patience_ms) <= 0) throw std::runtime_error{"the server takes no more"};
  }

 private:
  static int connect(const Plan& plan) {
    const int descriptor =
        ::socket(plan.server.address.family() == Family::ipv4 ? AF_INET : AF_INET6,
                 SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket (allow more open files: ulimit -n)");
    const auto bytes = kernel_address(plan.server);
    if (::connect(descriptor, bytes.get(), bytes.size) != 0) fail("connect");
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval handshake_patience{patience_ms / 1000, 0};  // for the handshake of TLS
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &handshake_patience,
                 sizeof handshake_patience);
    return descriptor;
  }
  void take_frames(const Taker& take) {
    std::size_t begin = 0;
    while (begin < filled_) {
      const auto frame =
          turn::next_frame(Bytes{received_}.subspan(begin, filled_ - begin), longest_message);
      if (!frame) throw std::runtime_error{"the server sent no frame"};
      if (frame->consumed == 0) break;
      take(frame->message);
      begin += frame->consumed;
    }
    std::memmove(received_.data(), received_.data() + begin, filled_ - begin);
    filled_ -= begin;
  }

  int descriptor_;
  std::vector<std::byte> received_;
  std::size_t filled_ = 0;
};

class TcpLink final : public StreamLink {
 public:
  explicit TcpLink(const Plan& plan) : StreamLink{plan} { set_non_blocking(descriptor()); }
};

SSL_CTX* tls_context() {
  static const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context{
      SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context.get();
}

class TlsLink final : public StreamLink {
 public:
  explicit TlsLink(const Plan& plan)
      : StreamLink{plan}, session_{SSL_new(tls_context()), SSL_free} {
    SSL_set_fd(session_.get(), descriptor());
    if (SSL_connect(session_.get()) != 1) throw std::runtime_error{"no TLS with the server"};
    set_non_blocking(descriptor());
  }

 private:
  std::ptrdiff_t write(Bytes octets) override {
    std::size_t count = 0;
    const int done = SSL_write_ex(session_.get(), octets.data(), octets.size(), &count);
    return done == 1 ? static_cast<std::ptrdiff_t>(count) : nothing(done);
  }
  std::ptrdiff_t read(MutableBytes octets) override {
    std::size_t count = 0;
    const int done = SSL_read_ex(session_.get(), octets.data(), octets.size(), &count);
    return done == 1 ? static_cast<std::ptrdiff_t>(count) : nothing(done);
  }
  std::ptrdiff_t nothing(int done) const {
    const int reason = SSL_get_error(session_.get(), done);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return 0;
    throw std::runtime_error{"the server ended a TLS session"};
  }

  std::unique_ptr<SSL, void (*)(SSL*)> session_;
};

}  // namespace

std::unique_ptr<ClientLink> open_link(const Plan& plan) {
  switch (plan.transport) {
    case Transport::udp:
      return std::make_unique<UdpLink>(plan);
    case Transport::tcp:
      return std::make_unique<TcpLink>(plan);
    case Transport::tls:
      return std::make_unique<TlsLink>(plan);
    case Transport::dtls:
      break;  // not measured: no browser speaks it
  }
  return nullptr;
}

}  // namespace yuelao::bench
