#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>

#include "protocol/bytes.hpp"

namespace yuelao::turn {

// One message found at the start of a stream's octets.
struct Frame {
  // A STUN message, or ChannelData without its padding. Empty: more octets are needed.
  Bytes message;
  // Octets to take off the stream, padding included; 0 when more are needed.
  std::size_t consumed = 0;
  // Octets the message needs in all once its length is known; 0 before.
  std::size_t needed = 0;
};

enum class FramingError : std::uint8_t {
  not_turn,  // the first octet is neither STUN nor ChannelData (RFC 7983 §7)
  too_long,  // longer than `message_limit`
};

// Finds the first whole message in `received` (RFC 8656 §3.1, §12.5; RFC 8489 §6.2.2).
// The view aliases `received`. After an error the stream cannot be resynchronised:
// close it.
std::expected<Frame, FramingError> next_frame(Bytes received, std::size_t message_limit);

}  // namespace yuelao::turn
