#include "server/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <span>

#include "server/random.hpp"

namespace yuelao::server {
namespace {

// What the callback answers.
constexpr int failed = -1;
constexpr int unknown = 0;  // a full handshake follows
constexpr int good = 1;
constexpr int good_once_more = 2;  // and a new ticket is made

// Both are OpenSSL's own for its tickets.
const EVP_CIPHER* algorithm() { return EVP_aes_256_cbc(); }

int sign_with(std::array<unsigned char, 32>& key, EVP_MAC_CTX* signature) {
  std::array digest{'S', 'H', 'A', '2', '5', '6', '\0'};
  const std::array parameters{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.data(), key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(signature, parameters.data());
}

}  // namespace

TicketKeys::TicketKeys() { renew(); }

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(&key_, sizeof key_);
  OPENSSL_cleanse(&former_, sizeof former_);
}

void TicketKeys::use_for(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, 0, this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, choose);
  SSL_CTX_set_timeout(context, lifetime.count());
}

void TicketKeys::advance(SteadyTime now) {
  const std::lock_guard lock{mutex_};
  if (next_key_ == SteadyTime{}) next_key_ = now + lifetime;
  if (now < next_key_) return;
  next_key_ = now + lifetime;
  former_ = key_;
  fill(key_);
}

void TicketKeys::renew() {
  const std::lock_guard lock{mutex_};
  fill(key_);
  fill(former_);
}

void TicketKeys::fill(Key& key) { SystemRandom{}.fill(std::as_writable_bytes(std::span{&key, 1})); }

int TicketKeys::choose(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* signature, int encrypts) {
  auto& keys = *static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
  const std::lock_guard lock{keys.mutex_};
  return encrypts != 0 ? keys.encrypt(name, vector, cipher, signature)
                       : keys.decrypt(name, vector, cipher, signature);
}

int TicketKeys::encrypt(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* signature) {
  std::ranges::copy(key_.name, name);
  const auto size = static_cast<std::size_t>(EVP_CIPHER_get_iv_length(algorithm()));
  SystemRandom{}.fill(std::as_writable_bytes(std::span{vector, size}));
  const bool done =
      EVP_EncryptInit_ex(cipher, algorithm(), nullptr, key_.cipher.data(), vector) == 1 &&
      sign_with(key_.signature, signature) == 1;
  return done ? good : failed;
}

int TicketKeys::decrypt(const unsigned char* name, const unsigned char* vector,
                        EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* signature) {
  const auto is = [name](const Key& key) {
    return std::ranges::equal(key.name, std::span{name, 16});
  };
  if (!is(key_) && !is(former_)) return unknown;
  Key& key = is(key_) ? key_ : former_;
  const bool done =
      sign_with(key.signature, signature) == 1 &&
      EVP_DecryptInit_ex(cipher, algorithm(), nullptr, key.cipher.data(), vector) == 1;
  if (!done) return failed;
  return is(key_) ? good : good_once_more;
}

}  // namespace yuelao::server
