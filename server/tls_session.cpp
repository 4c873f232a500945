#include "server/tls_session.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <climits>
#include <new>
#include <utility>

namespace yuelao::server {
namespace {

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
  BIO* const bio = make_bio();
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    ERR_clear_error();
    throw std::bad_alloc{};
  }
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

std::size_t TlsSession::take(MutableBytes to) {
  const auto taken = input_.first(std::min(input_.size(), to.size()));
  std::ranges::copy(taken, to.begin());
  input_ = input_.subspan(taken.size());
  return taken.size();
}

void TlsSession::put(Bytes octets) { output_.insert(output_.end(), octets.begin(), octets.end()); }

}  // namespace yuelao::server
