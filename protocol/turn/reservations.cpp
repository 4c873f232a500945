#include "protocol/turn/reservations.hpp"

#include "protocol/bytes.hpp"

namespace yuelao::turn {

bool ReservationBook::hold(const ReservationToken& token, const Reservation& reservation) {
  return by_token_.size() < limit && by_token_.emplace(load_u64(token), reservation).second;
}

std::optional<Reservation> ReservationBook::claim(const ReservationToken& token,
                                                  std::string_view user, SteadyTime now) {
  const auto found = by_token_.find(load_u64(token));
  if (found == by_token_.end() || found->second.user != user || found->second.expires <= now) {
    return std::nullopt;
  }
  return forget(token);
}

std::optional<Reservation> ReservationBook::forget(const ReservationToken& token) {
  const auto found = by_token_.find(load_u64(token));
  if (found == by_token_.end()) return std::nullopt;
  auto reservation = std::move(found->second);
  by_token_.erase(found);
  return reservation;
}

}  // namespace yuelao::turn
