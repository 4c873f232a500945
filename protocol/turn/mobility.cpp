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

bool signed_by_somebody(const stun::Message& message) {
  return message.has(attribute::message_integrity.type) ||
         message.has(attribute::message_integrity_sha256.type);
}

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
  if (!may_be_client(request.tuple())) return Refusal{ErrorCode::forbidden};
  const auto renewal = renewal_for(relays, request.message());
  if (!renewal) return renewal.error();
  // Whoever ends a relay need not move; what is left of a dual allocation stays where it is.
  if (renewal->lifetime == std::chrono::seconds{0}) return renew(*renewal, now, out);
  if (const auto refusal = recount(relays, request.tuple().client.address)) return *refusal;

  auto answer = std::get<Success>(renew(*renewal, now, out));
  auto& allocation = *allocations_.find(moved.id);
  expect(allocation, request, now);
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
  const auto* const found =
      ticket.shard == shard_ ? allocations_.find_session(ticket.session) : nullptr;
  return found == nullptr ? ClientRelays{} : open_relays_of(found->path, now);
}

SealedTicket Engine::seal_ticket(const Allocation& allocation) const {
  return tickets_.seal(
      {.session = allocation.session, .sequence = allocation.mobility->sequence, .shard = shard_});
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
void Engine::expect(Allocation& allocation, const AuthenticatedRequest& request, Now now) {
  stay(allocation);
  const auto& path = request.path();
  allocations_.expect(allocation, path);
  if (path.socket.datagrams()) roaming_.set(path.tuple, shard_);
  auto& sequence = allocation.mobility->sequence;
  sequence = after(sequence);
  allocation.mobility->last =
      Mobility::Move{request.message().transaction_id(), path, now.steady + known_for};
  if (auto* const twin = allocations_.twin(allocation)) twin->mobility = allocation.mobility;
}

void Engine::stay(Allocation& allocation) {
  if (!allocation.next) return;
  stop_roaming(*allocation.next);
  allocations_.stay(allocation);
}

// Associations are the server's own business.
void Engine::stop_roaming(const ClientPath& path) {
  if (path.socket.datagrams()) roaming_.remove(path.tuple, shard_);
}

// Whether the allocation outlives the connection that was closed. A client that closes the one it
// moves away from has moved (§3.2.2); with a ticket it may also break before it makes (§2).
bool Engine::may_come_back(Allocation& allocation, const ClientPath& closed, Now now, Outbox& out) {
  if (!allocation.mobility || !allocation.open(now)) return false;
  if (allocation.next == closed) {
    stay(allocation);
  } else if (allocation.next) {
    finish_move(allocation, out);
  }
  return true;
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
  stop_roaming(allocation.path);
  allocations_.arrive(allocation);
}

// The kernel gives a client's new five-tuple to any shard; the allocation stays in its own. A
// datagram goes there by itself, a stream or association as a whole. Whether another shard is to
// decide on the message, and gets it.
bool Engine::passes_on(const ClientPath& path, Bytes message, Now now, Outbox& out) {
  const bool by_itself = path.socket.datagrams();
  std::optional<ShardNumber> owner;
  if (by_itself && roaming_.size() > 0) owner = roaming_.find(path.tuple);
  if (!owner && options_.mobility) owner = owner_by_ticket(message);
  if (!owner || *owner == shard_ || *owner >= shards_) return false;
  // A five-tuple has one allocation: it has to end before another one comes.
  end_if_expired(path, now, out);
  if (allocations_.contains(path)) return false;
  if (by_itself) {
    out.forward({*owner, path, message});
  } else {
    out.command(MoveClient{path.socket, *owner});
  }
  return true;
}

// Of a Refresh that somebody has signed. Without that it is challenged here: a ticket is no secret,
// and costs no other shard anything.
std::optional<ShardNumber> Engine::owner_by_ticket(Bytes message) const {
  constexpr std::uint16_t refresh_request = 0x0004;
  if (message.size() < 2 || load_u16(message) != refresh_request) return std::nullopt;
  const auto parsed = stun::Message::parse(message);
  if (!parsed || !signed_by_somebody(*parsed)) return std::nullopt;
  const auto ticket = ticket_in(*parsed);
  return ticket ? std::optional{ticket->shard} : std::nullopt;
}

// Not passed on once more, whatever it says. One of a client that is gone by now is dropped, so
// that no allocation is made where its client's datagrams do not come: it will ask again.
void Engine::on_forward(const Forward& forward, Now now, Outbox& out) {
  const auto& [shard, path, message] = forward;
  if (!allocations_.contains(path) && owner_by_ticket(message) != shard_) return drop(Drop::moved);
  serve(path, message, now, out);
}

}  // namespace yuelao::turn
