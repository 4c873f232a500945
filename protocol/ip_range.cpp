#include "protocol/ip_range.hpp"

#include <algorithm>
#include <charconv>

namespace yuelao {
namespace {

constexpr unsigned bits_in(Family family) { return family == Family::ipv4 ? 32 : 128; }

// Sets every bit behind the prefix to `value`.
IpAddress with_host_bits(const IpAddress& address, unsigned prefix_length, bool value) {
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(address.octets(), octets.begin());
  for (unsigned bit = prefix_length; bit < bits_in(address.family()); ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> bit % 8);
    auto& octet = octets[bit / 8];
    octet = static_cast<std::uint8_t>(value ? octet | mask : octet & ~mask);
  }
  if (address.family() == Family::ipv6) return IpAddress::v6(octets);
  return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
}

}  // namespace

IpAddress network_of(const IpAddress& address, unsigned prefix_length) {
  return with_host_bits(address, prefix_length, false);
}

IpAddress client_prefix(const IpAddress& client) {
  return client.family() == Family::ipv4 ? client : network_of(client, 64);
}

IpRange IpRange::from_prefix(const IpAddress& network, unsigned prefix_length) {
  return IpRange{network_of(network, prefix_length), with_host_bits(network, prefix_length, true)};
}

std::optional<IpRange> IpRange::parse(std::string_view text) {
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    const auto first = IpAddress::parse(text.substr(0, dash));
    const auto last = IpAddress::parse(text.substr(dash + 1));
    if (!first || !last || first->family() != last->family() || *last < *first) {
      return std::nullopt;
    }
    return IpRange{*first, *last};
  }
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpRange{*address, *address};

  unsigned length = 0;
  const auto digits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (length > bits_in(address->family())) return std::nullopt;
  if (network_of(*address, length) != *address) return std::nullopt;
  return from_prefix(*address, length);
}

}  // namespace yuelao
