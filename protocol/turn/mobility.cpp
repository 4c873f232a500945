// RFC 8016 §3.2.2, receiving a Refresh request with a MOBILITY-TICKET.

#include <utility>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/allocate_parameters.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

// How long a Refresh is known again after it was answered: the RFC's least.
constexpr std::chrono::seconds known_for{30};

constexpr std::uint32_t after(std::uint32_t sequence) { return (sequence + 1) % Ticket::sequences; }

enum class Use : std::uint8_t { first, again, none };

// A ticket is good for one Refresh, and that one as often as it is sent.
Use use_of(const Ticket& ticket, const AuthenticatedRequest& request, const Mobility& mobility,
           Now now) {
  if (ticket.sequence == mobility.sequence) return Use::first;
  const auto& last = mobility.last;
  const bool again = last && after(ticket.sequence) == mobility.sequence &&
                     last->id == request.message().transaction_id() &&
                     last->path == request.path() && now.steady < last->known_until;
  return again ? Use::again : Use::none;
}

}  // namespace

// In the RFC's order, but for who asks: nobody learns anything of a ticket who has not shown a
// user's password, so that 441 is left for another user. Nothing changes until the last check has
// passed.
Answer Engine::move(const AuthenticatedRequest& request, Now now, Outbox& out) {
  if (!options_.mobility) return Refusal{ErrorCode::mobility_forbidden};
  const auto ticket = ticket_in(request.message());
  if (!ticket) return Refusal{ErrorCode::bad_request};
  const auto relays = relays_of(*ticket, now);
  if (relays.none()) return Refusal{ErrorCode::allocation_mismatch};
  const auto& moved = relays.any();

  const auto use = use_of(*ticket, request, *moved.mobility, now);
  if (use == Use::none) return Refusal{ErrorCode::bad_request};
  const bool stays = request.path() == moved.path || request.path() == moved.next;
  if (use == Use::first && stays) return Refusal{ErrorCode::bad_request};
  if (moved.user != request.user()) return Refusal{ErrorCode::wrong_credentials};
  if (use == Use::again) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(moved.expires - now.steady);
    return Success{.lifetime = left, .ticket = seal_ticket(moved)};
  }

  // RFC 8656 §5: a five-tuple has one allocation. An earlier one of its own may have expired.
  end_if_expired(request.path(), now, out);
  if (has_allocation(request.path())) return Refusal{ErrorCode::allocation_mismatch};
  if (comes_from_tunnel(request.tuple().client.address)) return Refusal{ErrorCode::forbidden};
  const auto renewal = renewal_for(relays, request.message());
  if (!renewal) return renewal.error();
  // Whoever ends a relay need not move; what is left of a dual allocation stays where it is.
  if (renewal->lifetime == std::chrono::seconds{0}) return renew(*renewal, now, out);
  if (const auto refusal = recount(relays, request.tuple().client.address)) return *refusal;

  auto answer = std::get<Success>(renew(*renewal, now, out));
  auto& allocation = *allocations_.find(moved.id);
  expect(allocation, request, now, out);
  answer.ticket = seal_ticket(allocation);
  return answer;
}

// Of a Refresh, and where tickets count: the one that is good, whatever it is for.
std::optional<Ticket> Engine::ticket_in(const stun::Message& message) const {
  if (!options_.mobility || message.method() != stun::Method::refresh) return std::nullopt;
  const auto sealed = message.value_of(attribute::mobility_ticket.type);
  return sealed ? tickets_.open(*sealed) : std::nullopt;
}

// What of the allocation is still there.
ClientRelays Engine::relays_of(const Ticket& ticket, Now now) {
  ClientRelays relays;
  for_each_relay(ticket, [&](const Endpoint& bound, ShardNumber) {
    const auto* const found = allocations_.find_bound(bound);
    if (found == nullptr || found->session != ticket.session || !found->open(now)) return;
    relays.add(*allocations_.find(found->id));
  });
  return relays;
}

SealedTicket Engine::seal_ticket(const Allocation& allocation) {
  Ticket ticket{.session = allocation.session, .sequence = allocation.mobility->sequence};
  const auto add = [&](const Allocation& relay) {
    ticket.ports.at(relay.family == Family::ipv4 ? 0 : 1) = relay.relayed.port;
  };
  add(allocation);
  if (const auto* const twin = allocations_.twin(allocation)) add(*twin);
  return tickets_.seal(ticket);
}

// From the Refresh on, and not only when the move ends: who may not come need not begin.
std::optional<Refusal> Engine::recount(const ClientRelays& relays, const IpAddress& client) {
  std::uint32_t count = 0;
  relays.for_each([&](const Allocation&) { ++count; });
  const auto admission = quota_.move(relays.any().counted, client, count);
  if (admission != Admission::admitted) return refusal_for(admission);
  relays.for_each([&](Allocation& allocation) { allocation.counted = client; });
  return std::nullopt;
}

// The old five-tuple stays until data comes from the new one.
void Engine::expect(Allocation& allocation, const AuthenticatedRequest& request, Now now,
                    Outbox& out) {
  stay(allocation, out);
  const auto& path = request.path();
  allocations_.expect(allocation, path);
  auto& sequence = allocation.mobility->sequence;
  sequence = after(sequence);
  allocation.mobility->last =
      Mobility::Move{request.message().transaction_id(), path, now.steady + known_for};
  if (auto* const twin = allocations_.twin(allocation)) twin->mobility = allocation.mobility;
  if (!path.shard) return;
  out.errand({*path.shard, shard_, Errand::Kind::expect, {path.socket, path.tuple}});
}

void Engine::stay(Allocation& allocation, Outbox& out) {
  if (!allocation.next) return;
  const auto& [socket, tuple, shard] = *allocation.next;
  if (shard) out.errand({*shard, shard_, Errand::Kind::forget, {socket, tuple}});
  allocations_.stay(allocation);
}

// Called with the data already on its way: from here on the new five-tuple is the only one.
void Engine::note_data_from(const ClientPath& path, Outbox& out) {
  auto* const allocation = allocations_.find(path);
  if (allocation != nullptr && allocation->next == path) finish_move(*allocation, out);
}

void Engine::finish_move(Allocation& allocation, Outbox& out) {
  const auto* const twin = allocations_.twin(allocation);
  counters_.allocations_moved += twin == nullptr ? 1 : 2;
  auto moved = notice(allocation, Notice::Event::allocation_moved);
  moved.tuple = allocation.next->tuple;
  out.command(std::move(moved));
  if (allocation.next->shard) return depart(allocation, out);
  allocations_.arrive(allocation);
}

}  // namespace yuelao::turn
