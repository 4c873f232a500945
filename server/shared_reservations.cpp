#include "server/shared_reservations.hpp"

#include <utility>

namespace yuelao::server {

bool SharedReservations::hold(const turn::ReservationToken& token,
                              const turn::Reservation& reservation) {
  const std::lock_guard lock{mutex_};
  return book_.hold(token, reservation);
}

std::optional<turn::Reservation> SharedReservations::claim(const turn::ReservationToken& token,
                                                           std::string_view user, SteadyTime now) {
  const std::lock_guard lock{mutex_};
  return book_.claim(token, user, now);
}

std::optional<turn::Reservation> SharedReservations::forget(const turn::ReservationToken& token) {
  const std::lock_guard lock{mutex_};
  return book_.forget(token);
}

void SharedReservations::keep(const turn::ReservationToken& token, Held held) {
  const std::lock_guard lock{mutex_};
  sockets_.emplace(token, std::move(held));
}

std::optional<SharedReservations::Held> SharedReservations::take(
    const turn::ReservationToken& token) {
  const std::lock_guard lock{mutex_};
  const auto found = sockets_.find(token);
  if (found == sockets_.end()) return std::nullopt;
  Held held = std::move(found->second);
  sockets_.erase(found);
  return held;
}

void SharedReservations::send_home(turn::ShardNumber home, const Endpoint& port) {
  const std::lock_guard lock{mutex_};
  homecoming_[home].ports.push_back(port);
  homecoming_[home].waiting.store(true, std::memory_order_release);
}

std::vector<Endpoint> SharedReservations::come_home(turn::ShardNumber home) {
  Ports& ports = homecoming_[home];
  if (!ports.waiting.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock{mutex_};
  ports.waiting.store(false, std::memory_order_relaxed);
  return std::exchange(ports.ports, {});
}

}  // namespace yuelao::server
