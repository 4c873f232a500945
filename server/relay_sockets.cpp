#include "server/relay_sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace yuelao::server {
namespace {

// Ports that other programs hold are passed over. So many in a row are no accident,
// and each one costs system calls that a client can ask for.
constexpr int attempts = 16;

turn::RelayFailure failure_for(std::error_code error) {
  return out_of_resources(error) ? turn::RelayFailure::no_descriptor
                                 : turn::RelayFailure::bind_failed;
}

}  // namespace

RelaySockets::RelaySockets(const std::vector<turn::RelayAddress>& addresses, PortRange ports,
                           Surroundings surroundings)
    : ports_{ports}, around_{surroundings} {
  follow(addresses);
}

void RelaySockets::follow(const std::vector<turn::RelayAddress>& addresses) {
  take_back_ports();
  current_.clear();
  // Those that stay first, so that none of them makes room for a new one.
  for (const auto& address : addresses) {
    const auto known = std::ranges::find(addresses_, address.bound, &Address::bound);
    current_.push_back(static_cast<std::size_t>(known - addresses_.begin()));
  }
  const auto unknown = addresses_.size();
  for (std::size_t i = 0; i < current_.size(); ++i) {
    if (current_[i] >= unknown) current_[i] = slot_for(addresses[i].bound);
  }
}

// A former address without relays gives its place to the new one.
std::size_t RelaySockets::slot_for(const IpAddress& bound) {
  std::size_t at = 0;
  for (; at < addresses_.size(); ++at) {
    if (addresses_[at].bound == bound) return at;
    const bool current = std::ranges::find(current_, at) != current_.end();
    if (!current && addresses_[at].idle(ports_)) break;
  }
  Address fresh{bound, RelayPorts{ports_, around_.random}};
  if (at == addresses_.size()) {
    addresses_.push_back(std::move(fresh));
  } else {
    addresses_[at] = std::move(fresh);
  }
  return at;
}

template <class Open>
auto RelaySockets::open_on(Address& address, turn::Parity parity, Open opener) {
  using Socket = decltype(opener(Endpoint{}))::value_type;
  std::vector<std::uint16_t> taken_by_others;
  std::expected<Socket, turn::RelayFailure> result{std::unexpect, turn::RelayFailure::no_port};
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto port = address.ports.take(parity);
    if (!port) break;
    auto socket = opener({address.bound, *port});
    if (socket) {
      result = *std::move(socket);
      break;
    }
    // Given back only after the last attempt, or the same port might come up again.
    taken_by_others.push_back(*port);
    if (socket.error().value() == EADDRINUSE) continue;
    result = std::unexpected{failure_for(socket.error())};
    break;
  }
  for (const auto port : taken_by_others) address.ports.give_back(port);
  return result;
}

template <class Open, class Keep>
std::expected<Endpoint, turn::RelayFailure> RelaySockets::open_first(Family family,
                                                                     turn::Parity parity,
                                                                     Open opener, Keep keeper) {
  take_back_ports();
  auto failure = turn::RelayFailure::no_port;
  for (const std::size_t i : current_) {
    if (addresses_[i].bound.family() != family) continue;
    auto socket = open_on(addresses_[i], parity, opener);
    if (socket) return keeper(*std::move(socket));
    failure = socket.error();
    if (failure == turn::RelayFailure::no_descriptor) break;
  }
  return std::unexpected{failure};
}

std::expected<Endpoint, turn::RelayFailure> RelaySockets::open(turn::RelayId id, Family family,
                                                               turn::Parity parity) {
  return open_first(family, parity, UdpSocket::open_relay,
                    [&](UdpSocket socket) { return keep(id, {std::move(socket), around_.shard}); });
}

std::expected<Endpoint, turn::RelayFailure> RelaySockets::open_tcp(turn::RelayId id,
                                                                   Family family) {
  return open_first(family, turn::Parity::any, open_tcp_relay,
                    [&](ListeningSocket socket) { return keep_listening(id, std::move(socket)); });
}

std::expected<Endpoint, turn::RelayFailure> RelaySockets::open_pair(
    turn::RelayId id, Family family, const turn::ReservationToken& token) {
  take_back_ports();
  auto failure = turn::RelayFailure::no_port;
  for (const std::size_t i : current_) {
    if (addresses_[i].bound.family() != family) continue;
    auto pair = open_pair_on(addresses_[i]);
    if (pair) {
      auto opened = keep(id, {std::move(pair->first), around_.shard});
      SharedReservations::Held second{std::move(pair->second), around_.shard};
      if (opened) {
        around_.reservations.keep(token, std::move(second));
      } else {
        give_back(std::move(second));
      }
      return opened;
    }
    failure = pair.error();
    if (failure == turn::RelayFailure::no_descriptor) break;
  }
  return std::unexpected{failure};
}

// As open_on() does, a pair a time.
std::expected<RelaySockets::Pair, turn::RelayFailure> RelaySockets::open_pair_on(Address& address) {
  std::vector<std::uint16_t> taken_by_others;
  std::expected<Pair, turn::RelayFailure> result{std::unexpect, turn::RelayFailure::no_port};
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto port = address.ports.take_pair();
    if (!port) break;
    const auto next = static_cast<std::uint16_t>(*port + 1);
    auto first = UdpSocket::open_relay({address.bound, *port});
    auto second = UdpSocket::open_relay({address.bound, next});
    if (first && second && second->ignore_datagrams()) {
      result = Pair{*std::move(first), *std::move(second)};
      break;
    }
    taken_by_others.insert(taken_by_others.end(), {*port, next});
    const auto error = !first ? first.error() : !second ? second.error() : std::error_code{};
    if (error.value() == EADDRINUSE) continue;
    result = std::unexpected{failure_for(error)};
    break;
  }
  for (const auto port : taken_by_others) address.ports.give_back(port);
  return result;
}

std::expected<Endpoint, turn::RelayFailure> RelaySockets::open_reserved(
    turn::RelayId id, const turn::ReservationToken& token) {
  auto held = around_.reservations.take(token);
  if (!held) return std::unexpected{turn::RelayFailure::no_port};
  if (!held->socket.accept_datagrams()) {
    give_back(*std::move(held));
    return std::unexpected{turn::RelayFailure::bind_failed};
  }
  return keep(id, *std::move(held));
}

std::expected<Endpoint, turn::RelayFailure> RelaySockets::keep(turn::RelayId id,
                                                               SharedReservations::Held held) {
  if (const auto error = around_.poller.add(held.socket.descriptor(), turn::SocketRef::relay(id))) {
    give_back(std::move(held));
    return std::unexpected{failure_for(error)};
  }
  Slot& slot = slot_of(id);
  slot.home = held.home;
  slot.socket = std::move(held.socket);
  return slot.socket->local();
}

std::expected<Endpoint, turn::RelayFailure> RelaySockets::keep_listening(turn::RelayId id,
                                                                         ListeningSocket socket) {
  const Endpoint local = socket.local;
  if (const auto error =
          around_.poller.add(socket.descriptor.value(), turn::SocketRef::tcp_relay(id))) {
    give_back(local);
    return std::unexpected{failure_for(error)};
  }
  slot_of(id).listening = std::move(socket);
  return local;
}

RelaySockets::Slot& RelaySockets::slot_of(turn::RelayId id) {
  if (slots_.size() <= id.index) slots_.resize(id.index + 1);
  Slot& slot = slots_[id.index];
  slot.generation = id.generation;
  return slot;
}

void RelaySockets::close(turn::RelayId id) {
  if (const auto* const listening = find_listening(id)) {
    give_back(listening->local);
    slots_[id.index].listening.reset();
    return;
  }
  if (find(id) == nullptr) return;
  around_.poller.remove(turn::SocketRef::relay(id));
  Slot& slot = slots_[id.index];
  give_back({*std::exchange(slot.socket, std::nullopt), slot.home});
}

void RelaySockets::close_reserved(const turn::ReservationToken& token) {
  if (auto held = around_.reservations.take(token)) give_back(*std::move(held));
}

// Another shard may bind its port at once: the socket is closed before it hears of it.
void RelaySockets::give_back(SharedReservations::Held held) {
  const Endpoint port = held.socket.local();
  {
    const UdpSocket closed = std::move(held.socket);
  }
  if (held.home == around_.shard) {
    give_back(port);
  } else {
    around_.reservations.send_home(held.home, port);
  }
}

void RelaySockets::give_back(const Endpoint& port) {
  const auto address = std::ranges::find(addresses_, port.address, &Address::bound);
  if (address != addresses_.end()) address->ports.give_back(port.port);
}

void RelaySockets::take_back_ports() {
  for (const auto& port : around_.reservations.come_home(around_.shard)) give_back(port);
}

UdpSocket* RelaySockets::find(turn::RelayId id) {
  if (id.index >= slots_.size()) return nullptr;
  Slot& slot = slots_[id.index];
  if (!slot.socket || slot.generation != id.generation) return nullptr;
  return &*slot.socket;
}

const ListeningSocket* RelaySockets::find_listening(turn::RelayId id) const {
  if (id.index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[id.index];
  return slot.listening && slot.generation == id.generation ? &*slot.listening : nullptr;
}

}  // namespace yuelao::server
