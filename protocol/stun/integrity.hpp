#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "protocol/bytes.hpp"
#include "protocol/stun/message.hpp"

namespace yuelao::stun {

enum class Integrity : std::uint8_t {
  valid,
  missing,    // the message has no such attribute
  malformed,  // not 20 octets, or not `smallest` to 32 in steps of 4
  wrong,      // the HMAC differs: other key, or changed message
};

// RFC 8489 §14.5 (HMAC-SHA1). Compares in constant time.
Integrity verify_integrity(const Message& message, Bytes key);
// RFC 8489 §14.6 (HMAC-SHA256). Compares in constant time. Only a usage that allows
// truncation by name may pass a `smallest` below 32; TURN does not, and none may go
// below 16.
Integrity verify_integrity_sha256(const Message& message, Bytes key, std::size_t smallest = 32);

// The primitives, for nonces and for the writer.
std::array<std::byte, 20> hmac_sha1(Bytes key, Bytes data);
std::array<std::byte, 32> hmac_sha256(Bytes key, Bytes data);
// RFC 8489 §14.7: CRC-32 of `data`, XOR-ed with 0x5354554E.
std::uint32_t fingerprint(Bytes data);
bool equal_in_constant_time(Bytes a, Bytes b);

}  // namespace yuelao::stun
