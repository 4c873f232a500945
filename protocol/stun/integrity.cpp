#include "protocol/stun/integrity.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>

#include "protocol/stun/attributes.hpp"

namespace yuelao::stun {
namespace {

// OpenSSL fails here only without memory or without its default provider. No answer
// is safe then: an HMAC of zeros would be one that anybody can make.
void require(bool done) {
  if (!done) std::abort();
}

const unsigned char* octets(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// One HMAC at a time, of a digest that is looked up once: the lookup costs more than
// the HMAC of a typical message.
class Hmac {
 public:
  explicit Hmac(std::string digest) {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac{
        EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr), &EVP_MAC_free};
    require(mac != nullptr);
    context_.reset(EVP_MAC_CTX_new(mac.get()));
    require(context_ != nullptr);
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    require(EVP_MAC_CTX_set_params(context_.get(), parameters.data()) == 1);
  }

  template <std::size_t size>
  std::array<std::byte, size> of(Bytes key, std::initializer_list<Bytes> parts) {
    begin(key);
    for (const auto part : parts) {
      require(EVP_MAC_update(context_.get(), octets(part), part.size()) == 1);
    }
    std::array<std::byte, size> mac;
    std::size_t written = 0;
    require(EVP_MAC_final(context_.get(), reinterpret_cast<unsigned char*>(mac.data()), &written,
                          mac.size()) == 1);
    require(written == size);
    // OpenSSL keeps a copy of the key until the next one comes, and a thread's next may never
    // come. The copy lies where a core dump has it, and the key may be a secret.
    begin({});
    return mac;
  }

 private:
  void begin(Bytes key) {
    // A null key means "the key of the time before" to OpenSSL.
    constexpr unsigned char no_key = 0;
    const auto* const key_octets = key.empty() ? &no_key : octets(key);
    require(EVP_MAC_init(context_.get(), key_octets, key.size(), nullptr) == 1);
  }

  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context_{nullptr, &EVP_MAC_CTX_free};
};

std::array<std::byte, 20> sha1_of(Bytes key, std::initializer_list<Bytes> parts) {
  thread_local Hmac hmac{"SHA1"};
  return hmac.of<20>(key, parts);
}

std::array<std::byte, 32> sha256_of(Bytes key, std::initializer_list<Bytes> parts) {
  thread_local Hmac hmac{"SHA256"};
  return hmac.of<32>(key, parts);
}

// What the HMAC in `value`, an attribute of `message`, was taken over: the message up
// to that attribute, with a length that ends behind it (RFC 8489 §14.5, §14.6).
struct Covered {
  std::array<std::byte, 4> type_and_length;
  Bytes rest;
};

Covered covered_by(const Message& message, Bytes value) {
  const auto at = static_cast<std::size_t>(value.data() - message.bytes().data()) - 4;
  Covered covered{{}, message.bytes().subspan(4, at - 4)};
  std::ranges::copy(message.bytes().first(2), covered.type_and_length.begin());
  store_u16(MutableBytes{covered.type_and_length}.subspan(2),
            static_cast<std::uint16_t>(at + 4 + value.size() - header_bytes));
  return covered;
}

// The CRC-32 of ITU V.42, bits reflected, eight octets a step: octet by octet a
// FINGERPRINT would cost as much as relaying the datagram, before anybody is known.
// crc_tables[n][octet] is what `octet` with n zeros behind it makes.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr std::uint32_t crc_of_octet(std::uint32_t crc) {
  for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? crc >> 1U ^ 0xEDB88320U : crc >> 1U;
  return crc;
}

constexpr CrcTables crc_tables = [] {
  CrcTables tables{};
  for (std::uint32_t octet = 0; octet < 256; ++octet) {
    auto crc = crc_of_octet(octet);
    for (auto& table : tables) {
      table[octet] = crc;
      crc = crc_of_octet(crc & 0xFFU) ^ crc >> 8U;
    }
  }
  return tables;
}();

// The CRC of four octets, first octet lowest, with `zeros` zeros behind them.
std::uint32_t crc_of_word(std::uint32_t word, std::size_t zeros) {
  return crc_tables[zeros + 3][word & 0xFFU] ^ crc_tables[zeros + 2][word >> 8U & 0xFFU] ^
         crc_tables[zeros + 1][word >> 16U & 0xFFU] ^ crc_tables[zeros][word >> 24U];
}

std::uint32_t crc32(Bytes data) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (; data.size() >= 8; data = data.subspan(8)) {
    const auto first = crc ^ std::byteswap(load_u32(data));
    crc = crc_of_word(first, 4) ^ crc_of_word(std::byteswap(load_u32(data.subspan(4))), 0);
  }
  for (const auto octet : data) {
    crc = crc_tables[0][(crc ^ std::to_integer<std::uint32_t>(octet)) & 0xFFU] ^ crc >> 8U;
  }
  return ~crc;
}

}  // namespace

Integrity verify_integrity(const Message& message, Bytes key) {
  const auto value = message.value_of(attribute::message_integrity.type);
  if (!value) return Integrity::missing;
  if (value->size() != 20) return Integrity::malformed;
  const auto covered = covered_by(message, *value);
  const auto mac = sha1_of(key, {covered.type_and_length, covered.rest});
  return equal_in_constant_time(mac, *value) ? Integrity::valid : Integrity::wrong;
}

Integrity verify_integrity_sha256(const Message& message, Bytes key, std::size_t smallest) {
  const auto value = message.value_of(attribute::message_integrity_sha256.type);
  if (!value) return Integrity::missing;
  const auto size = value->size();
  if (size < std::max<std::size_t>(smallest, 16) || size > 32 || size % 4 != 0) {
    return Integrity::malformed;
  }
  const auto covered = covered_by(message, *value);
  const auto mac = sha256_of(key, {covered.type_and_length, covered.rest});
  return equal_in_constant_time(Bytes{mac}.first(size), *value) ? Integrity::valid
                                                                : Integrity::wrong;
}

std::array<std::byte, 20> hmac_sha1(Bytes key, Bytes data) { return sha1_of(key, {data}); }

std::array<std::byte, 32> hmac_sha256(Bytes key, Bytes data) { return sha256_of(key, {data}); }

std::uint32_t fingerprint(Bytes data) { return crc32(data) ^ 0x5354554EU; }

bool equal_in_constant_time(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace yuelao::stun
