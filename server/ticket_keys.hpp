#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <mutex>

#include "protocol/now.hpp"

namespace yuelao::server {

// The keys of session tickets (RFC 5077, RFC 8446 §4.6.1), which let a client come back without a
// signature. Whoever gets hold of one can read the TLS 1.2 and DTLS sessions that used its
// tickets, so no key outlives its time (RFC 9325 §3.4), and none is ever written anywhere.
class TicketKeys {
 public:
  // A key makes tickets for so long, and opens them as long again.
  static constexpr std::chrono::seconds lifetime{3600};

  TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;
  ~TicketKeys();

  // Tickets of `context`'s sessions have these keys, which outlive it and them.
  void use_for(SSL_CTX* context);

  // From any thread.
  //
  // Takes a new key where the one in use has had its time; about once a second.
  void advance(SteadyTime now);
  // Nobody comes back with a ticket of before.
  void renew();

 private:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> signature;
  };

  // As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it.
  static int choose(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                    EVP_MAC_CTX* signature, int encrypts);
  int encrypt(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* signature);
  int decrypt(const unsigned char* name, const unsigned char* vector, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* signature);
  static void fill(Key& key);

  // Once a handshake, on the entrances' threads.
  std::mutex mutex_;
  Key key_{};
  Key former_{};
  SteadyTime next_key_{};  // unset until advance() is called
};

}  // namespace yuelao::server
