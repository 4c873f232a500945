#include "protocol/stun/one_time_cipher.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace yuelao::stun {
namespace {

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

enum class Direction : int { unseal = 0, seal = 1 };

unsigned char* octets_of(MutableBytes bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}
const unsigned char* octets_of(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// OpenSSL refuses nothing here but for want of memory; what is not sealed must not leave.
void require_done(int done) {
  if (done != 1) std::abort();
}

Cipher cipher_for(const OneTimeKey& key, Direction direction) {
  constexpr std::array<unsigned char, 12> nonce{};
  Cipher cipher{EVP_CIPHER_CTX_new()};
  require_done(EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, octets_of(Bytes{key}),
                                 nonce.data(), static_cast<int>(direction)));
  return cipher;
}

void transform(const Cipher& cipher, Bytes from, MutableBytes to) {
  int size = 0;
  require_done(EVP_CipherUpdate(cipher.get(), octets_of(to), &size, octets_of(from),
                                static_cast<int>(from.size())));
}

}  // namespace

void seal(const OneTimeKey& key, Bytes plain, MutableBytes out) {
  const auto cipher = cipher_for(key, Direction::seal);
  transform(cipher, plain, out);
  const auto tag = out.subspan(plain.size(), seal_tag_bytes);
  int size = 0;
  require_done(EVP_CipherFinal_ex(cipher.get(), octets_of(tag), &size));
  require_done(
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, seal_tag_bytes, tag.data()));
}

bool unseal(const OneTimeKey& key, Bytes sealed, MutableBytes plain) {
  if (sealed.size() < seal_tag_bytes) return false;
  std::array<std::byte, seal_tag_bytes> tag{};
  std::ranges::copy(sealed.last(seal_tag_bytes), tag.begin());
  const auto cipher = cipher_for(key, Direction::unseal);
  transform(cipher, sealed.first(sealed.size() - seal_tag_bytes), plain);
  require_done(
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, seal_tag_bytes, tag.data()));
  std::array<unsigned char, seal_tag_bytes> rest{};
  int size = 0;
  return EVP_CipherFinal_ex(cipher.get(), rest.data(), &size) == 1;
}

}  // namespace yuelao::stun
