#include "protocol/client/relayed_data.hpp"

#include <algorithm>
#include <array>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"

namespace yuelao::client {
namespace {

namespace attribute = stun::attribute;

constexpr std::size_t channel_header_bytes = 4;  // RFC 8656 §12.4

std::optional<RelayedData> read_channel_data(Bytes message) {
  if (message.size() < channel_header_bytes) return std::nullopt;
  const auto channel = stun::ChannelNumber::from(load_u16(message));
  const std::size_t size = load_u16(message.subspan(2));
  const auto rest = message.subspan(channel_header_bytes);
  // UDP may carry padding behind it.
  if (!channel || rest.size() < size) return std::nullopt;
  return RelayedData{.peer = {}, .channel = channel, .payload = rest.first(size)};
}

}  // namespace

std::optional<RelayedData> read_relayed(Bytes message) {
  if (const auto relayed = read_channel_data(message)) return relayed;
  const auto indication = stun::Message::parse(message);
  if (!indication || indication->method() != stun::Method::data ||
      indication->message_class() != stun::Class::indication) {
    return std::nullopt;
  }
  const auto peer = indication->get(attribute::xor_peer_address);
  const auto payload = indication->get(attribute::data);
  if (!peer || !payload) return std::nullopt;
  return RelayedData{.peer = *peer, .channel = {}, .payload = *payload};
}

Bytes write_send_indication(const Endpoint& peer, Bytes payload, Random& random, MutableBytes out) {
  std::array<std::byte, 12> id{};
  random.fill(id);
  stun::MessageWriter writer{out, stun::Method::send, stun::Class::indication,
                             stun::TransactionId::from_random(id)};
  return writer.add(attribute::xor_peer_address, peer).add(attribute::data, payload).finish();
}

Bytes write_channel_data(stun::ChannelNumber channel, Bytes payload, Padding padding,
                         MutableBytes out) {
  const auto filling = padding == Padding::to_four ? padding_to_four(payload.size()) : 0;
  const auto size = channel_header_bytes + payload.size() + filling;
  if (size > out.size() || payload.size() > 0xFFFF) return {};
  store_u16(out, channel.value());
  store_u16(out.subspan(2), static_cast<std::uint16_t>(payload.size()));
  std::ranges::copy(payload, out.begin() + channel_header_bytes);
  std::ranges::fill(out.subspan(size - filling, filling), std::byte{0});
  return out.first(size);
}

}  // namespace yuelao::client
