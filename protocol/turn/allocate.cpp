// RFC 8656 §7.2, receiving an Allocate request.

#include <algorithm>
#include <array>
#include <expected>
#include <optional>
#include <utility>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/allocate_parameters.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

void count_refusal(Admission admission, Counters& counters) {
  if (admission == Admission::user_full) ++counters.quota_refused_user;
  if (admission == Admission::prefix_full) ++counters.quota_refused_prefix;
  if (admission == Admission::server_full) ++counters.quota_refused_total;
}

}  // namespace

// In the RFC's order. Nothing changes until the last check has passed.
Answer Engine::allocate(const AuthenticatedRequest& request, Now now, Outbox& out) {
  // Step 2: one allocation per five-tuple.
  end_if_expired(request.path(), now, out);
  if (const auto* existing = allocations_.find(request.path())) {
    return allocate_again(*existing, request, now);
  }
  if (!may_be_client(request.tuple())) return Refusal{ErrorCode::forbidden};

  // Steps 3 to 9. DONT-FRAGMENT (step 4) is supported, and nothing to check.
  auto parameters = AllocateParameters::parse(request.message(), request.tuple(),
                                              {directory_, options_.tcp_relays});
  if (!parameters) return parameters.error();
  // RFC 8016 §3.1.2.
  if (parameters->mobile && !options_.mobility) return Refusal{ErrorCode::mobility_forbidden};

  if (draining_) return refusal_while_draining(request.tuple().client.address.family());
  if (parameters->token) return use_reservation(request, *parameters->token, now, out);
  if (parameters->reserve_next) return open_and_reserve(request, parameters->family, now, out);

  // Step 10. A dual allocation takes two ports, and counts as two.
  if (const auto refusal = admit(request)) return *refusal;
  if (parameters->dual && admit(request)) {
    parameters->dual = false;
    parameters->twin_refused = ErrorCode::insufficient_capacity;
  }
  return open_relays(request, *parameters, now, out);
}

// Neither the end of a tunnel nor a relay of ours: an allocation that was made through another one,
// and that one moved to it (RFC 8016), would pass a datagram to and fro for ever.
bool Engine::may_be_client(const FiveTuple& tuple) const {
  if (comes_from_tunnel(tuple.client.address)) return false;
  return over_udp(tuple.transport) ? !directory_.live(tuple.client)
                                   : !directory_.takes_connections(tuple.client);
}

// The same transaction is a retransmission and gets the same answer again, once there is one.
Answer Engine::allocate_again(const Allocation& existing, const AuthenticatedRequest& request,
                              Now now) {
  if (existing.reply_to.id != request.message().transaction_id() ||
      existing.user != request.user()) {
    return Refusal{ErrorCode::allocation_mismatch};
  }
  const auto* const twin = allocations_.twin(existing);
  if (existing.open(now) && (twin == nullptr || twin->open(now))) return allocated(existing, now);
  drop(Drop::still_opening);
  return Deferred{};
}

std::optional<Refusal> Engine::admit(const AuthenticatedRequest& request) {
  return refusal_for(quota_.admit(request.user(), request.tuple().client.address));
}

std::optional<Refusal> Engine::refusal_for(Admission admission) {
  if (admission == Admission::admitted) return std::nullopt;
  count_refusal(admission, counters_);
  const bool of_client = admission != Admission::server_full;
  return Refusal{of_client ? ErrorCode::allocation_quota_reached
                           : ErrorCode::insufficient_capacity};
}

// RFC 8489 §10. 300 is for whoever has authenticated alone (§14.8), which has happened.
Refusal Engine::refusal_while_draining(Family client) const {
  const bool elsewhere = options_.alternate_server.serves(client);
  return {elsewhere ? ErrorCode::try_alternate : ErrorCode::insufficient_capacity};
}

// Only the server knows whether a port can be bound; the answer waits for it.
Answer Engine::open_relays(const AuthenticatedRequest& request,
                           const AllocateParameters& parameters, Now now, Outbox& out) {
  auto& first = begin(request, parameters.family, now);
  first.twin_refused = parameters.twin_refused;
  first.transport = parameters.transport;
  const auto open = [&](const Allocation& relay) {
    out.command(OpenRelay{.id = relay.id,
                          .family = relay.family,
                          .parity = parameters.parity,
                          .transport = relay.transport});
  };
  open(first);
  if (parameters.dual) open(begin_twin(first, now));
  return Deferred{};
}

Allocation& Engine::begin(const AuthenticatedRequest& request, Family family, Now now) {
  auto& allocation = allocations_.insert(request.path(), family);
  allocation.reply_to = ReplyTo::from(request.message());
  allocation.user = request.user();
  allocation.counted = request.tuple().client.address;
  allocation.proof = request.proof();
  allocation.lifetime = initial_lifetime(request.message());
  allocation.expires = now.steady + allocation.lifetime;
  std::array<std::byte, 8> session{};
  random_.fill(session);
  allocation.session = load_u64(session);
  if (request.message().has(attribute::mobility_ticket.type)) {
    allocation.mobility.emplace();
    allocations_.index_session(allocation);
  }
  wake_at_expiry(allocation, now);
  return allocation;
}

Allocation& Engine::begin_twin(Allocation& first, Now now) {
  auto& twin = allocations_.insert_twin(first);
  twin.reply_to = first.reply_to;
  twin.user = first.user;
  twin.counted = first.counted;
  twin.mobility = first.mobility;
  twin.proof = first.proof;
  twin.lifetime = first.lifetime;
  twin.expires = first.expires;
  twin.session = first.session;
  twin.transport = first.transport;
  wake_at_expiry(twin, now);
  return twin;
}

// A dual allocation is answered with the second outcome; one relay of the two is a success
// (step 9).
void Engine::on_relay_opened(RelayId relay, std::expected<Endpoint, RelayFailure> bound, Now now,
                             Outbox& out) {
  auto* const allocation = allocations_.find(relay);
  if (allocation == nullptr) {  // the client left meanwhile
    if (bound) out.command(CloseRelay{relay});
    return;
  }
  // A port may have been reserved before this server moved to other addresses.
  if (bound && !directory_.opens_on(bound->address)) {
    out.command(CloseRelay{relay});
    bound = std::unexpected{RelayFailure::no_port};
  }
  // Copied, because a failure forgets the allocation before it is answered.
  const auto path = allocation->path;
  const auto to = allocation->reply_to;
  const auto key = allocation->proof.key;
  auto* const twin = allocations_.twin(*allocation);
  if (bound) {
    open(*allocation, *bound, out);
  } else {
    if (allocation->reserved) end_reservation(*allocation->reserved, out);
    if (twin != nullptr) twin->twin_refused = ErrorCode::insufficient_capacity;
    end(*allocation, Notice::Event::allocation_deleted, out);
  }
  if (twin != nullptr && twin->state == Allocation::State::opening) return;
  const auto* const opened = bound ? allocation : twin;
  const auto answer = opened != nullptr ? Answer{allocated(*opened, now)}
                                        : Answer{Refusal{ErrorCode::insufficient_capacity}};
  reply(to, answer, path, &key, now, out);
}

void Engine::open(Allocation& allocation, const Endpoint& bound, Outbox& out) {
  allocation.state = Allocation::State::open;
  allocation.relayed = directory_.add(bound, shard_, allocation.transport);
  allocation.bound = bound.address;
  allocations_.index_relay(allocation);
  ++counters_.allocations_created;
  out.command(notice(allocation, Notice::Event::allocation_created));
}

// The IPv4 relay of a dual allocation comes first.
Success Engine::allocated(const Allocation& allocation, Now now) {
  const auto left = std::chrono::ceil<std::chrono::seconds>(allocation.expires - now.steady);
  Success success{.mapped = allocation.path.tuple.client,
                  .relayed = allocation.relayed,
                  .lifetime = left,
                  .reservation = allocation.reserved};
  if (allocation.mobility) success.ticket = seal_ticket(allocation);
  if (const auto* const twin = allocations_.twin(allocation)) {
    success.second_relayed = twin->relayed;
    if (twin->family == Family::ipv4) std::swap(success.relayed, success.second_relayed);
  } else if (allocation.twin_refused) {
    success.refused_family = RefusedFamily{other(allocation.family), *allocation.twin_refused};
  }
  return success;
}

// What the client asks for, but at least the default and at most the maximum.
std::chrono::seconds Engine::initial_lifetime(const stun::Message& message) const {
  const auto asked = message.get(attribute::lifetime).value_or(std::chrono::seconds{0});
  return std::max(std::min(asked, options_.maximum_lifetime), options_.default_lifetime);
}

}  // namespace yuelao::turn
