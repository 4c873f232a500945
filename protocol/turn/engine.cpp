#include "protocol/turn/engine.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/turn/allocation.hpp"

namespace yuelao::turn {
namespace {

namespace attribute = stun::attribute;
using stun::ErrorCode;

// RFC 7983 §7: what the first octet of a message says.
constexpr bool is_stun(std::byte first) { return std::to_integer<unsigned>(first) < 4; }
constexpr bool is_channel_data(std::byte first) {
  const auto value = std::to_integer<unsigned>(first);
  return value >= 64 && value < 80;
}

// The comprehension-required attributes that some method here reads, or may ignore.
// Everything else below 0x8000 is answered with 420 (RFC 8489 §6.3.1).
constexpr std::array understood = {
    attribute::username.type,
    attribute::message_integrity.type,
    attribute::message_integrity_sha256.type,
    attribute::password_algorithm.type,
    attribute::userhash.type,
    attribute::realm.type,
    attribute::nonce.type,
    attribute::channel_number.type,
    attribute::lifetime.type,
    attribute::xor_peer_address.type,
    attribute::data.type,
    attribute::requested_address_family.type,
    attribute::even_port.type,
    attribute::requested_transport.type,
    attribute::dont_fragment.type,
    attribute::reservation_token.type,
    attribute::connection_id.type,
};

// What an office asks for at once when it comes back after its line was down.
constexpr std::chrono::seconds strangers_burst{4};

Drop drop_for(stun::ParseError error) {
  return error == stun::ParseError::bad_fingerprint ? Drop::bad_fingerprint : Drop::malformed;
}

std::uint64_t draw(Random& random) {
  std::array<std::byte, 8> drawn{};
  random.fill(drawn);
  return load_u64(drawn);
}

bool needs_allocation(stun::Method method) {
  return method == stun::Method::refresh || method == stun::Method::create_permission ||
         method == stun::Method::channel_bind || method == stun::Method::connect;
}

}  // namespace

Engine::Engine(const Options& options, Shared shared, Random& random)
    : options_{options},
      quota_{shared.quota},
      directory_{shared.directory},
      reservations_{shared.reservations},
      roaming_{shared.roaming},
      bandwidth_{shared.bandwidth},
      shard_{shared.shard},
      shards_{shared.shards},
      random_{random},
      authentication_{options},
      policy_{options.peers},
      ports_{options.peers},
      tickets_{options.nonce_key},
      discovery_{options.behavior_discovery},
      indications_{draw(random)},
      strangers_{indications_, strangers_burst},
      scanners_{indications_ + 1, new_peers_burst} {}

void Engine::on_client_message(const ClientPath& path, Bytes message, Now now, Outbox& out) {
  if (message.empty()) return drop(Drop::malformed);
  if (passes_on(path, message, now, out)) return;
  serve(path, message, now, out);
}

void Engine::serve(const ClientPath& path, Bytes message, Now now, Outbox& out) {
  if (is_channel_data(message[0])) return relay_channel_data(path, message, now, out);
  if (is_stun(message[0])) return on_stun(path, message, now, out);
  drop(Drop::malformed);
}

void Engine::on_stun(const ClientPath& path, Bytes datagram, Now now, Outbox& out) {
  const auto message = stun::Message::parse(datagram);
  if (!message) return drop(drop_for(message.error()));
  switch (message->message_class()) {
    case stun::Class::request:
      return on_request({path, *message}, now, out);
    case stun::Class::indication:
      // A Binding indication keeps a NAT's mapping alive and wants nothing.
      if (message->method() == stun::Method::binding) return;
      if (message->method() != stun::Method::send) return drop(Drop::unknown_method);
      return relay_send_indication(path, *message, now, out);
    // Answering an answer would let two servers talk to each other for ever.
    case stun::Class::success:
    case stun::Class::error:
      return drop(Drop::not_a_request);
  }
}

// RFC 8489 §6.3: basic checks, authentication, unknown attributes, then the method.
void Engine::on_request(const Request& request, Now now, Outbox& out) {
  const auto& message = request.message;
  const auto to = ReplyTo::from(message);
  // RFC 7350 §3, RFC 8489 §11: whoever knows DTLS is no RFC 3489 client.
  if (message.transaction_id().classic() && request.path.tuple.transport == Transport::dtls) {
    return reply(to, Refusal{ErrorCode::server_error}, request.path, nullptr, now, out);
  }
  if (message.method() == stun::Method::binding) {
    const auto [answer, way] = binding(request);
    return reply(to, answer, way, nullptr, now, out);
  }
  const bool known = message.method() == stun::Method::allocate ||
                     message.method() == stun::Method::connection_bind ||
                     needs_allocation(message.method());
  // TURN has no RFC 3489 form (RFC 8656 §5).
  if (!known || message.transaction_id().classic()) return drop(Drop::unknown_method);

  // One that has expired may go at any moment, and with it the name that the answer views.
  const auto ticket = ticket_in(message);
  const auto moving = ticket ? relays_of(*ticket, now) : ClientRelays{};
  const auto* allocation = moving.none() ? allocations_.find(request.path) : &moving.any();
  std::optional<KnownUser> user;
  if (allocation != nullptr && !allocation->expired(now)) {
    user.emplace(allocation->user, allocation->proof);
  }
  const auto authenticated = authentication_.check(request, user, now.wall);
  if (!authenticated) return reply(to, authenticated.error(), request.path, nullptr, now, out);

  reply(to, dispatch(*authenticated, now, out), request.path, &authenticated->proof().key, now,
        out);
}

Answer Engine::dispatch(const AuthenticatedRequest& request, Now now, Outbox& out) {
  const auto unknown = stun::unknown_required(request.message(), understood);
  if (!unknown.empty()) return Refusal{ErrorCode::unknown_attribute, unknown};
  const auto method = request.message().method();
  if (method == stun::Method::allocate) return allocate(request, now, out);
  if (method == stun::Method::connection_bind) return bind_connection(request, now, out);
  // RFC 8016 §3.2.2: the ticket says which allocation it is, and not the five-tuple.
  const bool moves = request.message().has(attribute::mobility_ticket.type);
  if (method == stun::Method::refresh && moves) return move(request, now, out);
  return on_allocation(request, now, out);
}

// RFC 8656 §5: what holds for every request but Allocate.
Answer Engine::on_allocation(const AuthenticatedRequest& request, Now now, Outbox& out) {
  const auto relays = open_relays_of(request.path(), now);
  if (relays.none()) return Refusal{ErrorCode::allocation_mismatch};
  if (relays.any().user != request.user()) return Refusal{ErrorCode::wrong_credentials};
  switch (request.message().method()) {
    case stun::Method::refresh:
      return refresh(relays, request, now, out);
    case stun::Method::create_permission:
      return create_permission(relays, request, now);
    case stun::Method::connect:
      return connect(relays, request, now, out);
    default:
      return bind_channel(relays, request, now);
  }
}

ClientRelays Engine::open_relays_of(const ClientPath& path, Now now) {
  ClientRelays relays;
  auto* const allocation = allocations_.find(path);
  if (allocation == nullptr) return relays;
  if (allocation->open(now)) relays.add(*allocation);
  auto* const twin = allocations_.twin(*allocation);
  if (twin != nullptr && twin->open(now)) relays.add(*twin);
  return relays;
}

void Engine::reply(const ReplyTo& to, const Answer& answer, const ClientPath& path,
                   const stun::LongTermKey* key, Now now, Outbox& out) {
  if (std::holds_alternative<Deferred>(answer)) return;
  count(to.method, answer);
  ReplyContext context{.realm = options_.realm,
                       .software = options_.software,
                       .alternate = options_.alternate_server,
                       .tuple = path.tuple,
                       .nonce = {},
                       .key = key};
  if (challenges(answer)) context.nonce = authentication_.nonce_for(path.tuple.client, now.wall);
  const auto message = encode_reply(to, answer, context, out.scratch());
  if (message.empty()) return drop(padded_to(answer) ? Drop::short_padding : Drop::too_large);
  // Over a stream or DTLS the client has shown that it is where it says.
  const bool may_be_forged = key == nullptr && path.socket.datagrams();
  const auto budget = options_.limits.strangers;
  if (may_be_forged &&
      !strangers_.spend(path.tuple.client.address, message.size(),
                        budget == unlimited ? budget : budget / shards_, now.steady)) {
    return drop(Drop::response_budget);
  }
  out.send({.from = path.socket,
            .source = path.tuple.server.address,
            .to = path.tuple.client,
            .prefix = out.keep(message.size()),
            .payload = {}});
}

void Engine::count(stun::Method method, const Answer& answer) {
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    ++counters_.requests_refused[slot(method)];
    ++counters_.errors[slot(refusal->code)];
  } else {
    ++counters_.requests_succeeded[slot(method)];
  }
}

void Engine::on_client_closed(const ClientPath& path, Now now, Outbox& out) {
  while (auto* const allocation = allocations_.find(path)) {
    if (may_come_back(*allocation, path, now, out)) return;
    end(*allocation, Notice::Event::allocation_deleted, out);
  }
}

void Engine::advance(Now now, Outbox& out) {
  expiry_.advance(now.steady, [&](RelayId id) {
    auto* const allocation = allocations_.find(id);
    // Gone, or an earlier reminder of one that was scheduled anew.
    if (allocation == nullptr || now.steady < allocation->wakes) return;
    if (!allocation->expired(now)) return wake_at_expiry(*allocation, now);
    end_if_expired(*allocation, now, out);
  });
  end_overdue_connections(now, out);
  end_reservations(now.steady, out);
  if (options_.limits.bandwidth != unlimited) share_bandwidth(now);
}

void Engine::wake_at_expiry(Allocation& allocation, Now now) {
  allocation.wakes = expiry_.schedule(allocation.id, allocation.expires, now.steady);
}

void Engine::end_if_expired(const ClientPath& path, Now now, Outbox& out) {
  auto* const allocation = allocations_.find(path);
  if (allocation == nullptr) return;
  if (auto* const twin = allocations_.twin(*allocation)) end_if_expired(*twin, now, out);
  end_if_expired(*allocation, now, out);
}

void Engine::end_if_expired(Allocation& allocation, Now now, Outbox& out) {
  if (!allocation.expired(now)) return;
  ++counters_.allocations_expired;
  end(allocation, Notice::Event::allocation_expired, out);
}

// Takes an allocation out of every table; the other relay of a dual one stays. While its relay is
// still being opened the late success finds nobody and closes it again.
void Engine::end(Allocation& allocation, Notice::Event event, Outbox& out) {
  if (allocation.state == Allocation::State::open) {
    directory_.remove(allocation.relayed, allocation.bound);
    out.command(CloseRelay{allocation.id});
    out.command(notice(allocation, event));
  }
  end_connections(allocation, out);
  if (allocation.mobility && allocations_.twin(allocation) == nullptr) {
    stay(allocation);
    stop_roaming(allocation.path);
  }
  quota_.release(allocation.user, allocation.counted);
  allocations_.erase(allocation.id);
}

Notice Engine::notice(const Allocation& allocation, Notice::Event event) const {
  return {.event = event,
          .session = allocation.session,
          .tuple = allocation.path.tuple,
          .relayed = allocation.relayed,
          .user = allocation.user};
}

void Engine::reconfigure(const Options& options, Outbox& out) {
  options_ = options;
  authentication_ = Authentication{options_};
  policy_ = PeerPolicy{options_.peers};
  ports_ = PeerPorts{options_.peers};
  // Without a limit of the server's nothing is shared out any more.
  if (options_.limits.bandwidth == unlimited) shares_ = {};
  end_revoked(out);
  forget_forbidden_peers();
}

void Engine::end_revoked(Outbox& out) {
  std::vector<RelayId> revoked;
  allocations_.for_each([&](const Allocation& allocation) {
    if (!authentication_.stands(allocation.user, allocation.proof.credential)) {
      revoked.push_back(allocation.id);
    }
  });
  counters_.allocations_revoked += revoked.size();
  for (const auto id : revoked) end(*allocations_.find(id), Notice::Event::allocation_revoked, out);
}

void Engine::readdress(RelayDirectory directory) {
  directory_ = std::move(directory);
  allocations_.for_each([this](Allocation& allocation) {
    for (auto& permission : allocation.permissions) {
      permission.here = directory_.has(permission.peer);
    }
  });
}

void Engine::close_all(Now, Outbox& out) {
  std::vector<RelayId> ids;
  allocations_.for_each([&](const Allocation& allocation) { ids.push_back(allocation.id); });
  for (const auto id : ids) end(*allocations_.find(id), Notice::Event::allocation_deleted, out);
  end_reservations(SteadyTime::max(), out);
}

Gauges Engine::gauges(Now now) const {
  Gauges gauges;
  allocations_.for_each([&](const Allocation& allocation) {
    if (!allocation.open(now)) return;
    if (allocation.mobility) ++gauges.mobile;
    const auto transport = static_cast<std::size_t>(allocation.path.tuple.transport);
    ++gauges.allocations[transport][allocation.family == Family::ipv4 ? 0 : 1];
    const auto alive = [now](const auto& entry) { return now.steady < entry.expires; };
    gauges.permissions +=
        static_cast<std::uint64_t>(std::ranges::count_if(allocation.permissions, alive));
    gauges.channels +=
        static_cast<std::uint64_t>(std::ranges::count_if(allocation.channels, alive));
    for (const auto& connection : allocation.connections) {
      ++gauges.peer_connections[static_cast<std::size_t>(connection.state)];
    }
  });
  return gauges;
}

bool Engine::consistent() const {
  bool sound = allocations_.consistent() && connections_consistent();
  allocations_.for_each([&](const Allocation& allocation) {
    const bool open = allocation.state == Allocation::State::open;
    const bool udp = allocation.transport == RelayTransport::udp;
    sound &= !open || (udp ? directory_.live(allocation.relayed)
                           : directory_.takes_connections(allocation.relayed));
    sound &= allocation.connections.empty() || (open && !udp);
    sound &= allocation.permissions.size() <= options_.limits.permissions_per_allocation;
    sound &= allocation.channels.size() <= options_.limits.channels_per_allocation;
    sound &= open || (allocation.permissions.empty() && allocation.channels.empty());
    sound &= !allocation.next || allocation.mobility;
  });
  return sound;
}

}  // namespace yuelao::turn
