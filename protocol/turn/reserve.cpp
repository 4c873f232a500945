// RFC 8656 §7.2: EVEN-PORT with the R bit, and RESERVATION-TOKEN.

#include "protocol/turn/engine.hpp"

namespace yuelao::turn {

using stun::ErrorCode;

// Step 8: both ports or neither.
Answer Engine::open_and_reserve(const AuthenticatedRequest& request, Family family, Now now,
                                Outbox& out) {
  if (const auto refusal = admit(request)) return *refusal;
  const auto token = reserve(request, family, now);
  if (!token) {
    quota_.release(request.user(), request.tuple().client.address);
    return token.error();
  }
  auto& allocation = begin(request, family, now);
  allocation.reserved = *token;
  out.command(OpenRelay{
      .id = allocation.id, .family = family, .parity = Parity::even, .reserve_next = *token});
  return Deferred{};
}

// The port that is held counts as an allocation of its user until it is one: who asks for
// pairs gets no more ports than others do.
std::expected<ReservationToken, Refusal> Engine::reserve(const AuthenticatedRequest& request,
                                                         Family family, Now now) {
  if (const auto refusal = admit(request)) return std::unexpected{*refusal};
  ReservationToken token{};
  random_.fill(token);
  const Reservation reservation{.user = std::string{request.user()},
                                .client = request.tuple().client.address,
                                .family = family,
                                .expires = now.steady + reservation_lifetime};
  // One that is used at once still has its place in our list.
  const bool room = reserved_.size() < ReservationBook::limit;
  if (!room || !reservations_.hold(token, reservation)) {
    quota_.release(reservation.user, reservation.client);
    return std::unexpected{Refusal{ErrorCode::insufficient_capacity}};
  }
  reserved_.push_back({token, reservation.expires});
  return token;
}

// Step 5: a token that is not valid, for whatever reason, is 508.
Answer Engine::use_reservation(const AuthenticatedRequest& request, const ReservationToken& token,
                               Now now, Outbox& out) {
  const auto reservation = reservations_.claim(token, request.user(), now.steady);
  if (!reservation) return Refusal{ErrorCode::insufficient_capacity};
  quota_.release(reservation->user, reservation->client);
  if (const auto refusal = admit(request)) {
    out.command(CloseReserved{token});
    return *refusal;
  }
  const auto& allocation = begin(request, reservation->family, now);
  out.command(OpenReserved{.id = allocation.id, .token = token});
  return Deferred{};
}

// What this engine has reserved and nobody has used. Reservations live equally long: the oldest
// come first.
void Engine::end_reservations(SteadyTime expired_by, Outbox& out) {
  while (!reserved_.empty() && reserved_.front().expires <= expired_by) {
    const auto token = reserved_.front().token;
    reserved_.pop_front();
    end_reservation(token, out);
  }
}

// Unless somebody has used it.
void Engine::end_reservation(const ReservationToken& token, Outbox& out) {
  const auto reservation = reservations_.forget(token);
  if (!reservation) return;
  quota_.release(reservation->user, reservation->client);
  out.command(CloseReserved{token});
}

}  // namespace yuelao::turn
