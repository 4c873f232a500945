#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/bytes.hpp"

// What a DTLS datagram shows of itself before anybody has keys for it, so that it is known whom
// it is for. Everything else of DTLS is the library's.
namespace yuelao::edge {

// RFC 7983 §7.
constexpr bool is_dtls(std::byte first) {
  const auto value = std::to_integer<unsigned>(first);
  return value >= 20 && value < 64;
}

// The header of a record (RFC 6347 §4.1).
struct DtlsRecord {
  enum class Content : std::uint8_t {
    change_cipher_spec = 20,
    alert = 21,
    handshake = 22,
    application_data = 23,
  };
  Content content{};        // others there may be, too
  std::uint16_t epoch = 0;  // before the first keys: 0
};

// The first one of the datagram. Nothing: it is too short for its header.
std::optional<DtlsRecord> first_dtls_record(Bytes datagram);

// Of a client's handshake: all its ClientHellos have the same (RFC 6347 §4.2.1), and no other
// handshake's.
using HelloRandom = std::array<std::byte, 32>;

// Nothing: the datagram does not begin with a ClientHello that wants new keys from nothing.
std::optional<HelloRandom> client_hello_random(Bytes datagram);

}  // namespace yuelao::edge
