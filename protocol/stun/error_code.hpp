#pragma once

#include <cstdint>
#include <string_view>

namespace yuelao::stun {

// IANA "STUN Error Codes".
enum class ErrorCode : std::uint16_t {
  try_alternate = 300,                   // RFC 8489 §14.8
  bad_request = 400,                     // RFC 8489 §14.8
  unauthenticated = 401,                 // RFC 8489 §14.8
  forbidden = 403,                       // RFC 8656 §19
  mobility_forbidden = 405,              // RFC 8016 §3.4
  unknown_attribute = 420,               // RFC 8489 §14.8
  allocation_mismatch = 437,             // RFC 8656 §19
  stale_nonce = 438,                     // RFC 8489 §14.8
  address_family_not_supported = 440,    // RFC 8656 §19
  wrong_credentials = 441,               // RFC 8656 §19
  unsupported_transport_protocol = 442,  // RFC 8656 §19
  peer_address_family_mismatch = 443,    // RFC 8656 §19
  connection_already_exists = 446,       // RFC 6062 §6.3
  connection_timeout_or_failure = 447,   // RFC 6062 §6.3
  allocation_quota_reached = 486,        // RFC 8656 §19
  server_error = 500,                    // RFC 8489 §14.8
  insufficient_capacity = 508,           // RFC 8656 §19
};

// The RFCs' recommended phrase: "Stale Nonce". Empty for a value outside the enumerators.
std::string_view reason_phrase(ErrorCode code);

// ERROR-CODE (RFC 8489 §14.8). `reason` may be empty. Decoded, it views the message.
struct ErrorCodeValue {
  std::uint16_t code = 0;  // 300 to 699
  std::string_view reason;
};

}  // namespace yuelao::stun
