#include "protocol/stun/siv.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace yuelao::stun {
namespace {

struct Free {
  void operator()(EVP_CIPHER* algorithm) const { EVP_CIPHER_free(algorithm); }
  void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Free>;

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

Cipher cipher_for(Bytes key, Direction direction) {
  static const std::unique_ptr<EVP_CIPHER, Free> algorithm{
      EVP_CIPHER_fetch(nullptr, "AES-256-SIV", nullptr)};
  Cipher cipher{EVP_CIPHER_CTX_new()};
  require_done(EVP_CipherInit_ex(cipher.get(), algorithm.get(), nullptr, octets_of(key), nullptr,
                                 static_cast<int>(direction)));
  return cipher;
}

}  // namespace

void seal(Bytes key, Bytes plain, MutableBytes out) {
  const auto cipher = cipher_for(key, Direction::seal);
  int size = 0;
  require_done(EVP_CipherUpdate(cipher.get(), octets_of(out.subspan(siv_tag_bytes)), &size,
                                octets_of(plain), static_cast<int>(plain.size())));
  require_done(
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, siv_tag_bytes, octets_of(out)));
}

bool unseal(Bytes key, Bytes sealed, MutableBytes plain) {
  if (sealed.size() < siv_tag_bytes) return false;
  std::array<std::byte, siv_tag_bytes> tag{};
  std::ranges::copy(sealed.first(siv_tag_bytes), tag.begin());
  const auto cipher = cipher_for(key, Direction::unseal);
  require_done(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, siv_tag_bytes, tag.data()));
  const auto text = sealed.subspan(siv_tag_bytes);
  int size = 0;
  return EVP_CipherUpdate(cipher.get(), octets_of(plain), &size, octets_of(text),
                          static_cast<int>(text.size())) == 1;
}

}  // namespace yuelao::stun
