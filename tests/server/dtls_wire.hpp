#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <optional>
#include <string>

#include "tests/server/dtls_end.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::test {

// A DTLS client over UDP on loopback, blocking, each wait bounded.
class DtlsWire final : public Wire {
 public:
  // Not connected() when the handshake failed.
  DtlsWire(const IpAddress& local, const Endpoint& server) : udp_{local, server} { connect(); }
  // The same, from the port that another one has, which it keeps.
  explicit DtlsWire(UdpWire& shared) : shared_{&shared}, udp_{shared.local().address, {}} {
    connect();
  }

  bool connected() { return SSL_is_init_finished(end_.ssl()) == 1; }
  UdpWire& udp() { return shared_ != nullptr ? *shared_ : udp_; }

  void send(Bytes message) override {
    end_.write(as_text(message));
    flush();
  }
  std::optional<Octets> receive(std::chrono::milliseconds wait = patience) override {
    while (true) {
      const auto text = end_.read();
      flush();
      if (!text.empty()) return to_octets(as_bytes(text));
      if (closed()) return std::nullopt;
      const auto datagram = udp().receive(wait);
      if (!datagram) return std::nullopt;
      end_.hear(*datagram);
    }
  }
  // The server has said goodbye.
  bool closed() { return (SSL_get_shutdown(end_.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  void say_goodbye() {
    SSL_shutdown(end_.ssl());
    flush();
  }
  // The first datagram of a handshake that was repeated with its cookie.
  const Octets& second_hello() const { return second_hello_; }

 private:
  void connect() {
    for (int flight = 0; flight < 8 && SSL_do_handshake(end_.ssl()) != 1; ++flight) {
      const auto said = end_.said();
      if (flight == 1 && !said.empty()) second_hello_ = said.front();
      for (const auto& datagram : said) udp().send(datagram);
      const auto heard = udp().receive();
      if (!heard) return;
      end_.hear(*heard);
    }
    flush();
  }
  void flush() {
    for (const auto& datagram : end_.said()) udp().send(datagram);
  }

  UdpWire* shared_ = nullptr;
  UdpWire udp_;
  DtlsEnd end_;
  Octets second_hello_;
};

}  // namespace yuelao::test
