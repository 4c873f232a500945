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
  switch (error.value()) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:  // epoll's limit on what one user may watch
      return turn::RelayFailure::no_descriptor;
    default:
      return turn::RelayFailure::bind_failed;
  }
}

}  // namespace

RelaySockets::RelaySockets(const std::vector<turn::RelayAddress>& addresses, PortRange ports,
                           Poller& poller, Random& random)
    : ports_{ports}, poller_{poller}, random_{random} {
  follow(addresses);
}

void RelaySockets::follow(const std::vector<turn::RelayAddress>& addresses) {
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
  Address fresh{bound, RelayPorts{ports_, random_}};
  if (at == addresses_.size()) {
    addresses_.push_back(std::move(fresh));
  } else {
    addresses_[at] = std::move(fresh);
  }
  return at;
}

std::expected<Endpoint, turn::RelayFailure> RelaySockets::open(turn::RelayId id, Family family,
                                                               turn::Parity parity) {
  auto failure = turn::RelayFailure::no_port;
  for (const std::size_t i : current_) {
    if (addresses_[i].bound.family() != family) continue;
    auto socket = open_on(addresses_[i], parity);
    if (socket) return keep(id, i, *std::move(socket));
    failure = socket.error();
    if (failure == turn::RelayFailure::no_descriptor) break;
  }
  return std::unexpected{failure};
}

std::expected<UdpSocket, turn::RelayFailure> RelaySockets::open_on(Address& address,
                                                                   turn::Parity parity) {
  std::vector<std::uint16_t> taken_by_others;
  std::expected<UdpSocket, turn::RelayFailure> result{std::unexpect, turn::RelayFailure::no_port};
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto port = address.ports.take(parity);
    if (!port) break;
    auto socket = UdpSocket::open_relay({address.bound, *port});
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

std::expected<Endpoint, turn::RelayFailure> RelaySockets::keep(turn::RelayId id,
                                                               std::size_t address,
                                                               UdpSocket socket) {
  if (const auto error = poller_.add(socket.descriptor(), turn::SocketRef::relay(id))) {
    addresses_[address].ports.give_back(socket.local().port);
    return std::unexpected{failure_for(error)};
  }
  if (slots_.size() <= id.index) slots_.resize(id.index + 1);
  Slot& slot = slots_[id.index];
  slot.generation = id.generation;
  slot.address = address;
  slot.socket = std::move(socket);
  return slot.socket->local();
}

void RelaySockets::close(turn::RelayId id) {
  if (find(id) == nullptr) return;
  Slot& slot = slots_[id.index];
  addresses_[slot.address].ports.give_back(slot.socket->local().port);
  slot.socket.reset();
}

UdpSocket* RelaySockets::find(turn::RelayId id) {
  if (id.index >= slots_.size()) return nullptr;
  Slot& slot = slots_[id.index];
  if (!slot.socket || slot.generation != id.generation) return nullptr;
  return &*slot.socket;
}

}  // namespace yuelao::server
