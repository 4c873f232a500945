#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/endpoint.hpp"
#include "protocol/stun/error_code.hpp"
#include "protocol/stun/message.hpp"

namespace yuelao::turn {

// Why something that came in was answered with silence. One counter and one metric
// label each; add the label in drop_names beside it.
enum class Drop : std::uint8_t {
  malformed,          // not STUN, not ChannelData, or truncated
  bad_fingerprint,    // RFC 8489 §14.7
  not_a_request,      // a response or an error response: answering would loop
  unknown_method,     // RFC 8489 §6.3.1: discarded for indications
  unknown_attribute,  // comprehension-required in an indication, RFC 8489 §6.3.2
  no_allocation,      // no such five-tuple, a relay that is gone, or datagrams for one of TCP
  no_channel,         // ChannelData on an unbound or expired channel
  no_permission,      // RFC 8656 §9
  forbidden_peer,     // the peer policy
  wrong_family,       // a peer of the other address family
  still_opening,      // a retransmission while the relay, or the association, is being opened
  too_large,          // the message does not fit a datagram or the stream's limit
  send_queue_full,    // server: the socket or the stream's queue could take no more
  send_failed,        // server: the kernel refused (unreachable, not permitted, ...)
  icmp,               // an ICMP error of no use to the client, or one too many
  short_padding,      // PADDING in a request that is shorter than its answer: no amplifier here
  no_association,     // server: DTLS of no association, or more of a handshake than gets done
  connection_limit,   // a peer's TCP connection beyond what may be open
  moved,              // another shard passed it on, and the client is gone from here (RFC 8016)
  bandwidth,          // more than its allocation, or the whole server, may relay (RFC 8656 §5)
  response_budget,    // an answer to who has shown nothing, beyond what its prefix may have
  new_peer,           // to more addresses and ports of peers than a client may begin to talk to
};
inline constexpr std::size_t drop_count = 22;
std::string_view name(Drop drop);

// Index of a method in Counters::requests; the last slot is for every other method.
inline constexpr std::size_t method_slots = 8;
std::size_t slot(stun::Method method);
std::string_view method_name(std::size_t slot);

// Index of an error code in Counters::errors.
inline constexpr std::size_t error_slots = 17;
std::size_t slot(stun::ErrorCode code);
stun::ErrorCode error_at(std::size_t slot);

struct Traffic {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // application data, without STUN or ChannelData framing
};

// Written by one shard; copied whole for a scrape.
struct Counters {
  std::array<std::uint64_t, method_slots> requests_succeeded{};
  std::array<std::uint64_t, method_slots> requests_refused{};
  std::array<std::uint64_t, error_slots> errors{};
  std::array<std::uint64_t, drop_count> drops{};
  Traffic client_to_peer;
  Traffic peer_to_client;
  // Octets over data connections (RFC 6062), which have no packets.
  std::uint64_t tcp_client_to_peer_bytes = 0;
  std::uint64_t tcp_peer_to_client_bytes = 0;
  std::uint64_t peer_connections_made = 0;      // by Connect
  std::uint64_t peer_connections_accepted = 0;  // and told to the client
  std::uint64_t allocations_created = 0;
  std::uint64_t allocations_expired = 0;
  std::uint64_t allocations_revoked = 0;  // whose credential is configured no more, or denied
  std::uint64_t allocations_moved = 0;    // RFC 8016: whose client came from a new address
  std::uint64_t quota_refused_user = 0;
  std::uint64_t quota_refused_prefix = 0;
  std::uint64_t quota_refused_total = 0;
};

// What is alive at this moment.
struct Gauges {
  // [transport of the client][0: IPv4 relay, 1: IPv6 relay]
  std::array<std::array<std::uint64_t, 2>, transport_count> allocations{};
  std::uint64_t permissions = 0;
  std::uint64_t channels = 0;
  // By PeerConnection::State.
  std::array<std::uint64_t, 3> peer_connections{};
  std::uint64_t mobile = 0;  // allocations with a ticket (RFC 8016)
};

}  // namespace yuelao::turn
