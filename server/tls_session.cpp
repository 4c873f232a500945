#include "server/tls_session.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <climits>
#include <new>
#include <utility>

namespace yuelao::server {
namespace {

TlsSession& session_of(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

// What OpenSSL may have to say by itself, to a client that does not listen: each renegotiation
// that is asked for is refused with an alert.
constexpr std::size_t unread_limit = std::size_t{16} * 1024;

int clamped(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }

// What the last operation on `ssl` with this result means for a reader or a handshake.
bool wants_more(SSL* ssl, int result) {
  const int error = SSL_get_error(ssl, result);
  return error == SSL_ERROR_WANT_READ;
}

}  // namespace

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context)
    : context_{std::move(context)}, ssl_{SSL_new(context_->context.get())} {
  BIO* const bio = BIO_new(transport());
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    ERR_clear_error();
    throw std::bad_alloc{};
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
}

TlsSession::Handshake TlsSession::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Handshake::done;
  return wants_more(ssl_.get(), result) ? Handshake::unfinished : Handshake::failed;
}

std::expected<std::size_t, TlsSession::End> TlsSession::read(MutableBytes to) {
  if (output_.size() > unread_limit) return std::unexpected{End::broken};
  ERR_clear_error();
  const int result = SSL_read(ssl_.get(), to.data(), clamped(to.size()));
  if (result > 0) return static_cast<std::size_t>(result);
  if (wants_more(ssl_.get(), result)) return 0;
  return std::unexpected{SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN ? End::closed
                                                                                    : End::broken};
}

bool TlsSession::write(Bytes plain) {
  ERR_clear_error();
  while (!plain.empty()) {
    const int result = SSL_write(ssl_.get(), plain.data(), clamped(plain.size()));
    if (result <= 0) return false;
    plain = plain.subspan(static_cast<std::size_t>(result));
  }
  return true;
}

void TlsSession::close() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

BIO_METHOD* TlsSession::transport() {
  static const Owned<BIO_METHOD, BIO_meth_free> method = [] {
    Owned<BIO_METHOD, BIO_meth_free> made{
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "octets")};
    BIO_meth_set_read(made.get(), take_input);
    BIO_meth_set_write(made.get(), put_output);
    BIO_meth_set_ctrl(made.get(), answer_control);
    return made;
  }();
  return method.get();
}

int TlsSession::take_input(BIO* bio, char* to, int size) {
  Bytes& input = session_of(bio).input_;
  BIO_clear_retry_flags(bio);
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const auto taken = input.first(std::min(input.size(), static_cast<std::size_t>(size)));
  std::ranges::copy(taken, reinterpret_cast<std::byte*>(to));
  input = input.subspan(taken.size());
  return clamped(taken.size());
}

int TlsSession::put_output(BIO* bio, const char* from, int size) {
  auto& output = session_of(bio).output_;
  const auto* const octets = reinterpret_cast<const std::byte*>(from);
  output.insert(output.end(), octets, octets + size);
  return size;
}

// OpenSSL flushes after a handshake's flights; there is nothing to flush here.
long TlsSession::answer_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace yuelao::server
