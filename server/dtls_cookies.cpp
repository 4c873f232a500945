#include "server/dtls_cookies.hpp"

#include <algorithm>

#include "protocol/stun/integrity.hpp"

namespace yuelao::server {
namespace {

void append(const Endpoint& endpoint, std::byte*& at) {
  const auto address = std::as_bytes(endpoint.address.octets());
  at = std::ranges::copy(address, at).out;
  store_u16({at, 2}, endpoint.port);
  at += 2;
}

}  // namespace

DtlsCookies::DtlsCookies(Random& random) : random_{random} {
  random_.fill(key_);
  random_.fill(former_);
}

DtlsCookies::Cookie DtlsCookies::sign(const Key& key, const FiveTuple& client,
                                      const edge::HelloRandom& hello) {
  // Both addresses are of one family, so their lengths need no saying.
  std::array<std::byte, std::size_t{2} * (16 + 2) + std::tuple_size_v<edge::HelloRandom>>
      signed_octets{};
  std::byte* end = signed_octets.data();
  append(client.client, end);
  append(client.server, end);
  end = std::ranges::copy(hello, end).out;
  const auto mac = stun::hmac_sha256(key, {signed_octets.data(), end});
  Cookie cookie{};
  std::ranges::copy(Bytes{mac}.first(cookie.size()), cookie.begin());
  return cookie;
}

bool DtlsCookies::genuine(Bytes cookie, const FiveTuple& client,
                          const edge::HelloRandom& hello) const {
  return stun::equal_in_constant_time(cookie, sign(key_, client, hello)) ||
         stun::equal_in_constant_time(cookie, sign(former_, client, hello));
}

void DtlsCookies::advance(SteadyTime now) {
  if (now < next_key_) return;
  next_key_ = now + lifetime;
  former_ = key_;
  random_.fill(key_);
}

}  // namespace yuelao::server
