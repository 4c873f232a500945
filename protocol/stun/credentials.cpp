#include "protocol/stun/credentials.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <memory>

#include "protocol/stun/integrity.hpp"

namespace yuelao::stun {
namespace {

// The digest of the parts with a colon between each two; the parts are never put
// together, so that no copy of a password is left behind.
template <std::size_t size>
std::array<std::byte, size> digest(const EVP_MD* algorithm,
                                   std::initializer_list<std::string_view> parts) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free};
  bool done = context && EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1;
  std::string_view separator;
  for (const auto part : parts) {
    done = done && EVP_DigestUpdate(context.get(), separator.data(), separator.size()) == 1 &&
           EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
    separator = ":";
  }
  std::array<std::byte, size> result{};
  unsigned written = 0;
  done = done && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(result.data()),
                                    &written) == 1;
  // Out of memory, or an OpenSSL without MD5: a key of zeros would let anybody in.
  if (!done || written != size) std::abort();
  return result;
}

}  // namespace

bool long_term_keys_work() {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free};
  return context && EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1;
}

Md5Key long_term_key(std::string_view user, std::string_view realm, std::string_view password) {
  return digest<16>(EVP_md5(), {user, realm, password});
}

Sha256Key long_term_key_sha256(std::string_view user, std::string_view realm,
                               std::string_view password) {
  return digest<32>(EVP_sha256(), {user, realm, password});
}

std::optional<KeyAlgorithm> key_algorithm(std::uint16_t number) {
  const auto algorithm = static_cast<KeyAlgorithm>(number);
  const bool known = algorithm == KeyAlgorithm::md5 || algorithm == KeyAlgorithm::sha256;
  return known ? std::optional{algorithm} : std::nullopt;
}

LongTermKey::LongTermKey(KeyAlgorithm algorithm, std::string_view user, std::string_view realm,
                         std::string_view password)
    : algorithm_{algorithm} {
  if (algorithm == KeyAlgorithm::md5) {
    std::ranges::copy(long_term_key(user, realm, password), octets_.begin());
  } else {
    octets_ = long_term_key_sha256(user, realm, password);
  }
}

UserHash user_hash(std::string_view user, std::string_view realm) {
  return digest<32>(EVP_sha256(), {user, realm});
}

std::string rest_password(std::string_view secret, std::string_view user) {
  return base64(hmac_sha1(as_bytes(secret), as_bytes(user)));
}

std::string base64(Bytes data) {
  // EVP_EncodeBlock() also writes a terminating zero.
  std::string text((data.size() + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                  reinterpret_cast<const unsigned char*>(data.data()),
                  static_cast<int>(data.size()));
  text.pop_back();
  return text;
}

}  // namespace yuelao::stun
