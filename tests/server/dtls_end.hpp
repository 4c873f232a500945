#pragma once

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/bytes.hpp"
#include "server/octet_transport.hpp"
#include "server/release.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::test {

// OpenSSL's DTLS client over memory, datagram by datagram. It checks no certificate.
class DtlsEnd : private server::OctetTransport {
 public:
  DtlsEnd() : context_{SSL_CTX_new(DTLS_client_method())} {
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_options(context_.get(), SSL_OP_NO_QUERY_MTU);
    ssl_.reset(SSL_new(context_.get()));
    BIO* const bio = make_bio();
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_mtu(ssl_.get(), 1200);
    SSL_set_connect_state(ssl_.get());
  }

  SSL* ssl() { return ssl_.get(); }
  void speak(int version) {
    SSL_set_min_proto_version(ssl_.get(), version);
    SSL_set_max_proto_version(ssl_.get(), version);
  }
  void offer(std::string_view protocol) {
    if (protocol.empty()) return;
    std::string list{static_cast<char>(protocol.size())};
    list += protocol;
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  }
  std::string selected() {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }

  void hear(Bytes datagram) { heard_.push_back(to_octets(datagram)); }
  std::vector<Octets> said() { return std::exchange(said_, {}); }
  void write(std::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
  }
  // One message; empty where there is none.
  std::string read() {
    std::array<char, 17'000> text{};
    const int size = SSL_read(ssl_.get(), text.data(), static_cast<int>(text.size()));
    return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
  }

 private:
  std::size_t take(MutableBytes to) override {
    if (heard_.empty()) return 0;
    const auto datagram = std::move(heard_.front());
    heard_.pop_front();
    std::ranges::copy(Bytes{datagram}.first(std::min(datagram.size(), to.size())), to.begin());
    return std::min(datagram.size(), to.size());
  }
  void put(Bytes datagram) override { said_.push_back(to_octets(datagram)); }

  server::Owned<SSL_CTX, SSL_CTX_free> context_;
  std::deque<Octets> heard_;
  std::vector<Octets> said_;
  server::Owned<SSL, SSL_free> ssl_;
};

}  // namespace yuelao::test
