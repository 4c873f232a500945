#include "tests/bench/hello.hpp"

#include <algorithm>
#include <array>

namespace yuelao::bench {
namespace {

// No ChannelData and no STUN begins like this. IPv4 only: magic, address, port.
constexpr std::uint32_t magic = 0xF0E1D2C3;
constexpr std::size_t hello_bytes = 10;

}  // namespace

Bytes write_hello(const Endpoint& endpoint, MutableBytes out) {
  store_u32(out, magic);
  std::ranges::copy(std::as_bytes(endpoint.address.octets()).first(4), out.subspan(4).begin());
  store_u16(out.subspan(8), endpoint.port);
  return out.first(hello_bytes);
}

std::optional<Endpoint> read_hello(Bytes datagram) {
  if (datagram.size() != hello_bytes || load_u32(datagram) != magic) return std::nullopt;
  std::array<std::uint8_t, 4> octets{};
  std::ranges::transform(datagram.subspan(4, 4), octets.begin(),
                         [](std::byte octet) { return std::to_integer<std::uint8_t>(octet); });
  return Endpoint{IpAddress::v4(octets), load_u16(datagram.subspan(8))};
}

}  // namespace yuelao::bench
