#pragma once

#include <cstdint>
#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/random.hpp"
#include "protocol/stun/channel_number.hpp"

namespace yuelao::client {

// What a relay passes on between a client and its peers.
struct RelayedData {
  // One of the two says who the peer is: the address in a Data indication (RFC 8656
  // §11.4), or the channel of a ChannelData message (§12.4).
  std::optional<Endpoint> peer;
  std::optional<stun::ChannelNumber> channel;
  Bytes payload;  // lives as long as the message
};

// A whole message: of a stream, without padding behind it. Empty where it is neither a
// Data indication nor ChannelData, or not a whole one.
std::optional<RelayedData> read_relayed(Bytes message);

// A Send indication (RFC 8656 §11.1), composed in `out`; empty where it does not fit.
Bytes write_send_indication(const Endpoint& peer, Bytes payload, Random& random, MutableBytes out);

// How ChannelData ends: on a stream it fills up to four octets (RFC 8656 §12.5).
enum class Padding : std::uint8_t { none, to_four };

// ChannelData (RFC 8656 §12.4), composed in `out`; empty where it does not fit.
Bytes write_channel_data(stun::ChannelNumber channel, Bytes payload, Padding padding,
                         MutableBytes out);

}  // namespace yuelao::client
