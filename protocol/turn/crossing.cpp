// RFC 8016 across shards. The kernel gives a client's new five-tuple to any shard. Until its data
// comes from there the allocation stays where it is, and the other shard passes on what comes
// from the new five-tuple; then the allocation follows its client, with its relays' sockets, so
// that no packet crosses from one shard to the other any more.

#include <utility>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/engine.hpp"

namespace yuelao::turn {
namespace {

bool signed_by_somebody(const stun::Message& message) {
  return message.has(stun::attribute::message_integrity.type) ||
         message.has(stun::attribute::message_integrity_sha256.type);
}

}  // namespace

// Whether another shard is to decide on the request, and has it now.
bool Engine::passes_on(const Request& request, const std::optional<Ticket>& ticket, Now now,
                       Outbox& out) {
  const auto& [path, message] = request;
  // For another shard's client only what is alive counts: nothing new is made for it here.
  const bool known = path.shard ? !open_relays_of(path, now).none() : allocations_.contains(path);
  if (!ticket) return !known && pass_on(path, message.bytes(), out);

  const auto owner = owner_of(*ticket);
  if (!owner || knows(*ticket)) return false;
  if (path.shard) return pass_on(path, message.bytes(), out);
  // Challenged here: a ticket is no secret, and costs no other shard anything.
  if (!signed_by_somebody(message)) return false;
  // A five-tuple that is another allocation's, or is waited for by one: refused here.
  end_if_expired(path, now, out);
  const auto expected = expected_.find(path);
  const bool taken =
      allocations_.contains(path) || (expected != expected_.end() && expected->second != *owner);
  if (taken || *owner == shard_) return false;
  out.forward({*owner, shard_, Forward::Kind::message, path, message.bytes()});
  return true;
}

// Of a path without an allocation here: to the shard that waits for it, or back to the one that
// thought so. False: nobody does.
bool Engine::pass_on(const ClientPath& path, Bytes message, Outbox& out) {
  if (path.shard) {
    const ClientPath theirs{path.socket, path.tuple};
    out.forward({*path.shard, shard_, Forward::Kind::returned, theirs, message});
    return true;
  }
  const auto expected = expected_.find(path);
  if (expected == expected_.end()) return false;
  out.forward({expected->second, shard_, Forward::Kind::message, path, message});
  return true;
}

// Where the allocation is that the ticket is for; empty: nowhere any more.
std::optional<ShardNumber> Engine::owner_of(const Ticket& ticket) const {
  std::optional<ShardNumber> found;
  for_each_relay(ticket, [&](const Endpoint&, ShardNumber owner) {
    if (!found || *found == shard_) found = owner;
  });
  return found;
}

// Whether one of the relays it names is here, its own or by now another's.
bool Engine::knows(const Ticket& ticket) const {
  bool here = false;
  bool found = false;
  bool elsewhere = false;
  for_each_relay(ticket, [&](const Endpoint& bound, ShardNumber owner) {
    const auto* const allocation = allocations_.find_bound(bound);
    found |= allocation != nullptr && allocation->session == ticket.session;
    here |= allocation != nullptr;
    elsewhere |= owner != shard_;
  });
  return found || (here && !elsewhere);
}

void Engine::on_forward(const Forward& forward, Now now, Outbox& out) {
  switch (forward.kind) {
    case Forward::Kind::message:
      return on_client_message({forward.path.socket, forward.path.tuple, forward.from},
                               forward.payload, now, out);
    case Forward::Kind::returned:
      return on_returned(forward, now, out);
    case Forward::Kind::reply:
      return out.send({.from = forward.path.socket,
                       .source = forward.path.tuple.server.address,
                       .to = forward.path.tuple.client,
                       .prefix = forward.payload,
                       .payload = {}});
  }
}

// The allocation has come here meanwhile, or is gone. It may also have gone on to a third shard:
// the client will ask again.
void Engine::on_returned(const Forward& forward, Now now, Outbox& out) {
  const auto expected = expected_.find(forward.path);
  if (expected != expected_.end() && expected->second == forward.from) expected_.erase(expected);
  if (const auto message = stun::Message::parse(forward.payload)) {
    const auto ticket = ticket_in(*message);
    const auto owner = ticket ? owner_of(*ticket) : std::nullopt;
    if (owner && *owner != shard_) return drop(Drop::moving);
  }
  on_client_message(forward.path, forward.payload, now, out);
}

void Engine::on_errand(const Errand& errand, Now now, Outbox& out) {
  const auto& path = errand.path;
  const auto expected = expected_.find(path);
  const bool theirs = expected != expected_.end() && expected->second == errand.from;
  switch (errand.kind) {
    case Errand::Kind::expect:
      if (theirs) return;
      end_if_expired(path, now, out);
      if (expected == expected_.end() && !allocations_.contains(path)) {
        expected_.emplace(path, errand.from);
        return;
      }
      // The client has made an allocation of its own there in the meantime.
      return out.errand({errand.from, shard_, Errand::Kind::closed, path});
    case Errand::Kind::forget:
      if (theirs) expected_.erase(expected);
      return;
    case Errand::Kind::closed:
      return on_client_closed({path.socket, path.tuple, errand.from}, now, out);
  }
}

// The sockets leave once all that was decided before is sent.
void Engine::depart(Allocation& allocation, Outbox& out) {
  Depart depart{.to = *allocation.next->shard, .allocations = {allocation}};
  if (const auto* const twin = allocations_.twin(allocation)) depart.allocations.push_back(*twin);
  for (auto& leaving : depart.allocations) {
    allocations_.erase(leaving.id);
    leaving.path = *leaving.next;
    leaving.path.shard.reset();
    leaving.next.reset();
    if (auto& last = leaving.mobility->last) last->path.shard.reset();
  }
  out.command(std::move(depart));
}

void Engine::on_arrival(std::vector<Allocation> allocations, Now now, Outbox& out) {
  const auto path = allocations.front().path;
  expected_.erase(path);
  // Made by the same client on the same five-tuple, or about to move there, while this one was on
  // its way.
  while (auto* const other = allocations_.find(path)) {
    if (other->next == path) {
      stay(*other, out);
    } else {
      end(*other, Notice::Event::allocation_deleted, out);
    }
  }
  Allocation* first = nullptr;
  for (auto& arriving : allocations) {
    auto& allocation = first == nullptr ? allocations_.insert(path, arriving.family)
                                        : allocations_.insert_twin(*first);
    allocations_.fill(allocation, std::move(arriving));
    directory_.move(allocation.relayed, allocation.bound, shard_);
    judge_peers_again(allocation);
    wake_at_expiry(allocation, now);
    out.command(TakeRelay{allocation.id, allocation.bound_endpoint()});
    first = &allocation;
  }
}

void Engine::on_relay_lost(RelayId relay, Outbox& out) {
  auto* const allocation = allocations_.find(relay);
  if (allocation != nullptr) end(*allocation, Notice::Event::allocation_deleted, out);
}

}  // namespace yuelao::turn
