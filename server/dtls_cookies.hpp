#pragma once

#include <array>
#include <cstddef>

#include "protocol/bytes.hpp"
#include "protocol/edge/dtls_record.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/random.hpp"

namespace yuelao::server {

// The cookies of DTLS (RFC 6347 §4.2.1): whoever repeats the one that was sent to an address
// receives what is sent there. Each is signed and good for one client's handshake alone, so that
// nothing is remembered of those who ask for one.
class DtlsCookies {
 public:
  using Cookie = std::array<std::byte, 16>;
  // A cookie lives so long at least, and twice as long at most.
  static constexpr std::chrono::seconds lifetime{30};

  // `random` outlives this.
  explicit DtlsCookies(Random& random);

  Cookie make(const FiveTuple& client, const edge::HelloRandom& hello) const {
    return sign(key_, client, hello);
  }
  bool genuine(Bytes cookie, const FiveTuple& client, const edge::HelloRandom& hello) const;
  // Takes a new key where the old one has had its time; about once a second.
  void advance(SteadyTime now);

 private:
  using Key = std::array<std::byte, 32>;

  static Cookie sign(const Key& key, const FiveTuple& client, const edge::HelloRandom& hello);

  Random& random_;
  Key key_{};
  Key former_{};
  SteadyTime next_key_;
};

}  // namespace yuelao::server
