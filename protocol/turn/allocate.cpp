// RFC 8656 §7.2, receiving an Allocate request.

#include <algorithm>
#include <array>
#include <expected>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

constexpr std::uint8_t udp_protocol = 17;

// Whether the address is the end of a Teredo (RFC 4380) or 6to4 (RFC 3056) tunnel.
bool tunnelled(const IpAddress& address) {
  static const std::array tunnels{IpRange::parse("2001::/32").value(),
                                  IpRange::parse("2002::/16").value()};
  return std::ranges::any_of(tunnels,
                             [&](const IpRange& range) { return range.contains(address); });
}

// Step 3. TCP (RFC 6062) is 442 like every other transport that is not relayed.
std::optional<Refusal> check_transport(const stun::Message& message) {
  const auto transport = message.get(attribute::requested_transport);
  if (!transport) return Refusal{ErrorCode::bad_request};
  if (*transport != udp_protocol) return Refusal{ErrorCode::unsupported_transport_protocol};
  return std::nullopt;
}

// Step 7. The RFC gives a client that does not ask an IPv4 relay; meeting servers run
// their relays as keep-address-family: an IPv6 client that says nothing gets IPv6
// where there is a relay for it.
std::expected<Family, Refusal> choose_family(const stun::Message& message, Family client,
                                             const RelayDirectory& directory) {
  const auto asked = message.get(attribute::requested_address_family);
  if (!asked && asked.error() == stun::AttributeError::malformed) {
    return std::unexpected{Refusal{ErrorCode::address_family_not_supported}};
  }
  const bool follows = !asked && client == Family::ipv6 && directory.serves(Family::ipv6);
  const auto family = asked ? *asked : follows ? Family::ipv6 : Family::ipv4;
  if (!directory.serves(family)) {
    return std::unexpected{Refusal{ErrorCode::address_family_not_supported}};
  }
  return family;
}

// Step 8. A port to be kept for a second allocation (the R bit) is more than this server
// has to give.
std::expected<Parity, Refusal> choose_parity(const stun::Message& message) {
  const auto even_port = message.get(attribute::even_port);
  if (even_port) {
    if (even_port->reserve_next) return std::unexpected{Refusal{ErrorCode::insufficient_capacity}};
    return Parity::even;
  }
  if (even_port.error() == stun::AttributeError::missing) return Parity::any;
  return std::unexpected{Refusal{ErrorCode::bad_request}};
}

void count_refusal(Admission admission, Counters& counters) {
  if (admission == Admission::user_full) ++counters.quota_refused_user;
  if (admission == Admission::prefix_full) ++counters.quota_refused_prefix;
  if (admission == Admission::server_full) ++counters.quota_refused_total;
}

Refusal refusal_for(Admission admission) {
  const bool of_client = admission != Admission::server_full;
  return {of_client ? ErrorCode::allocation_quota_reached : ErrorCode::insufficient_capacity};
}

}  // namespace

// In the RFC's order. Nothing changes until the last check has passed.
Answer Engine::allocate(const AuthenticatedRequest& request, Now now, Outbox& out) {
  const auto& message = request.message();

  // Step 2: one allocation per five-tuple. The same transaction is a retransmission
  // and gets the same answer again, once there is one.
  end_if_expired(request.path(), now, out);
  if (const auto* existing = allocations_.find(request.path())) {
    if (existing->reply_to.id != message.transaction_id() || existing->user != request.user()) {
      return Refusal{ErrorCode::allocation_mismatch};
    }
    if (existing->open(now)) return allocated(*existing, now);
    drop(Drop::still_opening);
    return Deferred{};
  }
  // A tunnel's end would carry a datagram to and fro between itself and this server (§21.4).
  if (tunnelled(request.tuple().client.address)) return Refusal{ErrorCode::forbidden};

  if (const auto refusal = check_transport(message)) return *refusal;

  // Steps 4 to 6 and 9: DONT-FRAGMENT, RESERVATION-TOKEN and ADDITIONAL-ADDRESS-FAMILY
  // are unknown attributes here and have been answered.
  const auto family = choose_family(message, request.tuple().client.address.family(), directory_);
  if (!family) return family.error();
  const auto parity = choose_parity(message);
  if (!parity) return parity.error();

  if (draining_) return refusal_while_draining(request.tuple().client.address.family());

  // Step 10.
  const auto admission = quota_.admit(request.user(), request.tuple().client.address);
  if (admission != Admission::admitted) {
    count_refusal(admission, counters_);
    return refusal_for(admission);
  }
  return open_relay(request, {.id = {}, .family = *family, .parity = *parity}, now, out);
}

// RFC 8489 §10. 300 is for whoever has authenticated alone (§14.8), which has happened.
Refusal Engine::refusal_while_draining(Family client) const {
  const bool elsewhere = options_.alternate_server.serves(client);
  return {elsewhere ? ErrorCode::try_alternate : ErrorCode::insufficient_capacity};
}

// Only the server knows whether a port can be bound; the answer waits for it.
Answer Engine::open_relay(const AuthenticatedRequest& request, OpenRelay wanted, Now now,
                          Outbox& out) {
  auto& allocation = allocations_.insert(request.path());
  allocation.reply_to = ReplyTo::from(request.message());
  allocation.user = request.user();
  allocation.key = request.key();
  allocation.family = wanted.family;
  allocation.lifetime = initial_lifetime(request.message());
  allocation.expires = now.steady + allocation.lifetime;
  std::array<std::byte, 8> session{};
  random_.fill(session);
  allocation.session = load_u64(session);
  wake_at_expiry(allocation, now);
  wanted.id = allocation.id;
  out.command(wanted);
  return Deferred{};
}

void Engine::on_relay_opened(RelayId relay, std::expected<Endpoint, RelayFailure> bound, Now now,
                             Outbox& out) {
  auto* const allocation = allocations_.find(relay);
  if (allocation == nullptr) {  // the client left meanwhile
    if (bound) out.command(CloseRelay{relay});
    return;
  }
  // Copied, because a failure forgets the allocation before it is answered.
  const auto path = allocation->path;
  const auto to = allocation->reply_to;
  const auto key = allocation->key;
  if (!bound) {
    end(*allocation, Notice::Event::allocation_deleted, out);
    return reply(to, Refusal{ErrorCode::insufficient_capacity}, path, &key, now, out);
  }
  allocation->state = Allocation::State::open;
  allocation->relayed = directory_.add(*bound, shard_);
  allocation->bound = bound->address;
  allocations_.index_relay(*allocation);
  ++counters_.allocations_created;
  out.command(notice(*allocation, Notice::Event::allocation_created));
  reply(to, allocated(*allocation, now), path, &key, now, out);
}

Success Engine::allocated(const Allocation& allocation, Now now) const {
  const auto left = std::chrono::ceil<std::chrono::seconds>(allocation.expires - now.steady);
  return {.mapped = allocation.path.tuple.client, .relayed = allocation.relayed, .lifetime = left};
}

// What the client asks for, but at least the default and at most the maximum.
std::chrono::seconds Engine::initial_lifetime(const stun::Message& message) const {
  const auto asked = message.get(attribute::lifetime).value_or(std::chrono::seconds{0});
  return std::max(std::min(asked, options_.maximum_lifetime), options_.default_lifetime);
}

}  // namespace yuelao::turn
