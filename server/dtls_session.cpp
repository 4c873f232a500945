#include "server/dtls_session.hpp"

#include <openssl/err.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace yuelao::server {
namespace {

// OpenSSL leaves this one to applications.
constexpr int session_index = 0;

DtlsSession& session_of(SSL* ssl) {
  return *static_cast<DtlsSession*>(SSL_get_ex_data(ssl, session_index));
}

}  // namespace

DtlsSession::DtlsSession(std::shared_ptr<const TlsContext> context)
    : context_{std::move(context)}, ssl_{SSL_new(context_->datagrams.get())} {
  BIO* const bio = make_bio();
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    ERR_clear_error();
    throw std::bad_alloc{};
  }
  SSL_set_ex_data(ssl_.get(), session_index, this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_mtu(ssl_.get(), handshake_bytes);
  SSL_set_accept_state(ssl_.get());
}

DtlsSession::Greeting DtlsSession::greet(const Hello& hello, const DtlsCookies& cookies,
                                         Datagrams& out) {
  thread_local const Owned<BIO_ADDR, BIO_ADDR_free> nobody{BIO_ADDR_new()};
  const Challenge challenge{hello, cookies};
  const auto before = out.count();
  challenge_ = &challenge;
  output_ = &out;
  input_ = hello.datagram;
  ERR_clear_error();
  const int result = DTLSv1_listen(ssl_.get(), nobody.get());
  challenge_ = nullptr;
  input_ = {};
  if (result > 0) return Greeting::verified;
  return out.count() > before ? Greeting::challenged : Greeting::nonsense;
}

DtlsSession::Handshake DtlsSession::handshake(Datagrams& out) {
  output_ = &out;
  ERR_clear_error();
  // Does nothing before its time; fails when it has been done too often.
  if (SSL_ctrl(ssl_.get(), DTLS_CTRL_HANDLE_TIMEOUT, 0, nullptr) < 0) return Handshake::failed;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Handshake::done;
  return wants_more(result) ? Handshake::unfinished : Handshake::failed;
}

std::optional<std::chrono::microseconds> DtlsSession::retransmits_in() {
  timeval left{};
  if (SSL_ctrl(ssl_.get(), DTLS_CTRL_GET_TIMEOUT, 0, &left) != 1) return std::nullopt;
  return std::chrono::seconds{left.tv_sec} + std::chrono::microseconds{left.tv_usec};
}

std::expected<std::size_t, DtlsSession::End> DtlsSession::read(MutableBytes to, Datagrams& out) {
  output_ = &out;
  if (!hold_buffers()) return std::unexpected{End::broken};
  ERR_clear_error();
  const int result = SSL_read(ssl_.get(), to.data(), static_cast<int>(to.size()));
  if (result > 0) return static_cast<std::size_t>(result);
  if (wants_more(result)) return 0;
  return std::unexpected{SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN ? End::closed
                                                                                    : End::broken};
}

bool DtlsSession::write(Bytes plain, Datagrams& out) {
  output_ = &out;
  ERR_clear_error();
  return hold_buffers() && SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size())) > 0;
}

void DtlsSession::close(Datagrams& out) {
  output_ = &out;
  ERR_clear_error();
  if (hold_buffers()) SSL_shutdown(ssl_.get());
}

void DtlsSession::release_buffers() {
  if (SSL_free_buffers(ssl_.get()) == 1) released_ = true;
}

// OpenSSL gets them back by itself where it reads, and not where DTLS writes. False: no memory.
bool DtlsSession::hold_buffers() {
  if (released_ && SSL_alloc_buffers(ssl_.get()) == 1) released_ = false;
  return !released_;
}

void DtlsSession::use_cookies(SSL_CTX* context) {
  SSL_CTX_set_cookie_generate_cb(context, make_cookie);
  SSL_CTX_set_cookie_verify_cb(context, verify_cookie);
}

int DtlsSession::make_cookie(SSL* ssl, unsigned char* cookie, unsigned* size) {
  const auto* const challenge = session_of(ssl).challenge_;
  if (challenge == nullptr) return 0;
  const auto& [hello, cookies] = *challenge;
  const auto made = cookies.make(hello.client, hello.random);
  std::ranges::copy(made, reinterpret_cast<std::byte*>(cookie));
  *size = static_cast<unsigned>(made.size());
  return 1;
}

// The handshake asks once more what greet() has asked, when the cookie is known to be good.
int DtlsSession::verify_cookie(SSL* ssl, const unsigned char* cookie, unsigned size) {
  const auto* const challenge = session_of(ssl).challenge_;
  if (challenge == nullptr) return 1;
  const auto& [hello, cookies] = *challenge;
  const Bytes shown{reinterpret_cast<const std::byte*>(cookie), size};
  return cookies.genuine(shown, hello.client, hello.random) ? 1 : 0;
}

// A datagram is taken whole: what has no room is lost, as with a socket.
std::size_t DtlsSession::take(MutableBytes to) {
  const auto datagram = std::exchange(input_, {});
  const auto taken = datagram.first(std::min(datagram.size(), to.size()));
  std::ranges::copy(taken, to.begin());
  return taken.size();
}

void DtlsSession::put(Bytes datagram) { output_->add(datagram); }

bool DtlsSession::wants_more(int result) const {
  return SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ;
}

}  // namespace yuelao::server
