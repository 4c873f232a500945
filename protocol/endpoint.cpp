#include "protocol/endpoint.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace yuelao {
namespace {

// splitmix64's finaliser: cheap, and every input bit reaches every output bit,
// which a table with open addressing needs.
constexpr std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated{text};
  if (terminated.size() != text.size() || terminated.find('\0') != std::string::npos) {
    return std::nullopt;
  }
  std::array<std::uint8_t, 4> v4_octets{};
  if (inet_pton(AF_INET, terminated.c_str(), v4_octets.data()) == 1) return v4(v4_octets);
  std::array<std::uint8_t, 16> v6_octets{};
  if (inet_pton(AF_INET6, terminated.c_str(), v6_octets.data()) == 1) return v6(v6_octets);
  return std::nullopt;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = family_ == Family::ipv4 ? AF_INET : AF_INET6;
  inet_ntop(family, octets_.data(), text.data(), text.size());
  return text.data();
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(host);
  const auto port = parse_port(text.substr(colon + 1));
  if (!address || !port) return std::nullopt;
  return Endpoint{*address, *port};
}

std::string Endpoint::to_string() const {
  const auto host = address.to_string();
  const auto bracketed = address.family() == Family::ipv6 ? "[" + host + "]" : host;
  return bracketed + ":" + std::to_string(port);
}

std::string_view name(Transport transport) {
  constexpr std::array<std::string_view, transport_count> names{"udp", "tcp", "tls", "dtls"};
  return names[static_cast<std::size_t>(transport)];
}

std::size_t hash_value(const IpAddress& address) {
  const auto octets = address.octets();
  std::array<std::uint64_t, 2> words{};
  std::memcpy(words.data(), octets.data(), octets.size());
  return mixed(mixed(words[0]) ^ words[1] ^ static_cast<std::uint64_t>(address.family()));
}

std::size_t hash_value(const Endpoint& endpoint) {
  return mixed(hash_value(endpoint.address) + endpoint.port);
}

std::size_t hash_value(const FiveTuple& tuple) {
  return mixed(hash_value(tuple.client) * 31 + hash_value(tuple.server) +
               static_cast<std::uint64_t>(tuple.transport));
}

}  // namespace yuelao
