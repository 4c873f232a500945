#include "protocol/turn/stream_framing.hpp"

#include "protocol/stun/message.hpp"

namespace yuelao::turn {
namespace {

constexpr std::size_t length_field_end = 4;  // both headers state their length in octets 2 and 3

constexpr bool starts_stun(std::byte first) { return std::to_integer<unsigned>(first) < 4; }
constexpr bool starts_channel_data(std::byte first) {
  const auto value = std::to_integer<unsigned>(first);
  return value >= 64 && value < 80;
}

}  // namespace

std::expected<Frame, FramingError> next_frame(Bytes received, std::size_t message_limit) {
  if (received.empty()) return Frame{};
  const bool is_stun = starts_stun(received[0]);
  if (!is_stun && !starts_channel_data(received[0])) return std::unexpected{FramingError::not_turn};
  if (received.size() < length_field_end) return Frame{};

  const std::size_t header = is_stun ? stun::header_bytes : length_field_end;
  const std::size_t size = header + load_u16(received.subspan(2));
  // A STUN length is a multiple of four already (RFC 8489 §5); a parser refuses others.
  const std::size_t on_wire = is_stun ? size : size + padding_to_four(size);
  if (on_wire > message_limit) return std::unexpected{FramingError::too_long};
  if (received.size() < on_wire) return Frame{.message = {}, .consumed = 0, .needed = on_wire};
  return Frame{.message = received.first(size), .consumed = on_wire, .needed = on_wire};
}

}  // namespace yuelao::turn
