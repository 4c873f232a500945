#pragma once

#include <openssl/bio.h>

#include <cstddef>

#include "protocol/bytes.hpp"

namespace yuelao::server {

// What OpenSSL reads from and writes to instead of a socket.
class OctetTransport {
 public:
  OctetTransport(const OctetTransport&) = delete;
  OctetTransport& operator=(const OctetTransport&) = delete;

 protected:
  OctetTransport() = default;
  ~OctetTransport() = default;

  // A BIO over this, which outlives it; the caller owns it. Null: there is no memory.
  BIO* make_bio();

  // Takes octets that have come into `to`. How many: 0, there are none.
  virtual std::size_t take(MutableBytes to) = 0;
  virtual void put(Bytes octets) = 0;

 private:
  static BIO_METHOD* method();
  static int read(BIO* bio, char* to, int size);
  static int write(BIO* bio, const char* from, int size);
  static long control(BIO* bio, int command, long number, void* pointer);
};

}  // namespace yuelao::server
