#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"

namespace yuelao::turn {

// RESERVATION-TOKEN (RFC 8656 §18.10), drawn from a cryptographic source.
using ReservationToken = std::array<std::byte, 8>;

// RFC 8656 §7.2: at least 30 seconds. Longer would keep ports from those who need one.
inline constexpr std::chrono::seconds reservation_lifetime{30};

// A relayed transport address that is held for a second allocation (EVEN-PORT with the R bit),
// and whom it is held for.
struct Reservation {
  std::string user;
  IpAddress client;  // counted with the quota under its prefix, as an allocation of `user`
  Family family = Family::ipv4;
  SteadyTime expires;
};

// What is reserved on the whole server: the second request may come on any five-tuple, and so
// land in any shard (§7.2). Shards share one; the server gives them an implementation that
// locks. Touched by requests that reserve or use a reservation, and when one expires.
class Reservations {
 public:
  virtual ~Reservations() = default;
  // False: as many are held as may be, or the token is one of them.
  virtual bool hold(const ReservationToken& token, const Reservation& reservation) = 0;
  // The reservation, which from now on is no more; empty where `user` has none of that token.
  //
  // The RFC ties a token to nothing: whoever shows it gets the port. It travels in the clear,
  // so that one who listens in on the first client could take the port before the second
  // allocation does, and be sent what was meant for it. Another's token is as good as none.
  virtual std::optional<Reservation> claim(const ReservationToken& token, std::string_view user,
                                           SteadyTime now) = 0;
  // The same without a user, for whoever held it; empty when it was claimed before.
  virtual std::optional<Reservation> forget(const ReservationToken& token) = 0;
};

// The book-keeping itself, for one thread.
class ReservationBook final : public Reservations {
 public:
  // Each holds a socket, beside what the quota allows its user. Few clients ask for pairs of
  // ports, and use them at once.
  static constexpr std::size_t limit = 1024;

  bool hold(const ReservationToken& token, const Reservation& reservation) override;
  std::optional<Reservation> claim(const ReservationToken& token, std::string_view user,
                                   SteadyTime now) override;
  std::optional<Reservation> forget(const ReservationToken& token) override;

  std::size_t size() const { return by_token_.size(); }

 private:
  boost::unordered_flat_map<std::uint64_t, Reservation> by_token_;
};

}  // namespace yuelao::turn
