#include "server/octet_transport.hpp"

#include "server/release.hpp"

namespace yuelao::server {
namespace {

OctetTransport* transport_of(BIO* bio) { return static_cast<OctetTransport*>(BIO_get_data(bio)); }

}  // namespace

BIO* OctetTransport::make_bio() {
  BIO* const bio = BIO_new(method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

BIO_METHOD* OctetTransport::method() {
  static const Owned<BIO_METHOD, BIO_meth_free> method = [] {
    Owned<BIO_METHOD, BIO_meth_free> made{
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "octets")};
    BIO_meth_set_read(made.get(), read);
    BIO_meth_set_write(made.get(), write);
    BIO_meth_set_ctrl(made.get(), control);
    return made;
  }();
  return method.get();
}

int OctetTransport::read(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  const auto room = static_cast<std::size_t>(size);
  const auto taken = transport_of(bio)->take({reinterpret_cast<std::byte*>(to), room});
  if (taken > 0) return static_cast<int>(taken);
  BIO_set_retry_read(bio);
  return -1;
}

int OctetTransport::write(BIO* bio, const char* from, int size) {
  const auto count = static_cast<std::size_t>(size);
  transport_of(bio)->put({reinterpret_cast<const std::byte*>(from), count});
  return size;
}

// OpenSSL flushes after a handshake's flights; there is nothing to flush here. DTLS asks for
// more, and does without.
long OctetTransport::control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace yuelao::server
