#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace yuelao {

// The wire values of RFC 8489 §14.1.
enum class Family : std::uint8_t { ipv4 = 1, ipv6 = 2 };

// An IPv4 or IPv6 address in one canonical form: an IPv4-mapped IPv6 address
// (::ffff:a.b.c.d) becomes IPv4 when it enters, so that no spelling of an address
// can slip past a comparison made for another. Other embeddings (NAT64, 6to4,
// Teredo, ...) stay IPv6; turn::PeerPolicy judges what they carry.
class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  static constexpr IpAddress v4(std::array<std::uint8_t, 4> octets) {
    IpAddress address;
    for (std::size_t i = 0; i < octets.size(); ++i) address.octets_[i] = octets[i];
    return address;
  }
  static constexpr IpAddress v6(std::array<std::uint8_t, 16> octets) {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    bool is_mapped = true;
    for (std::size_t i = 0; i < mapped.size(); ++i) is_mapped &= octets[i] == mapped[i];
    if (is_mapped) return v4({octets[12], octets[13], octets[14], octets[15]});
    IpAddress address;
    address.octets_ = octets;
    address.family_ = Family::ipv6;
    return address;
  }

  // A literal as inet_pton(3) reads it, without brackets, zone or port.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr Family family() const { return family_; }
  // 4 or 16 octets, network order. Lives as long as this address.
  constexpr std::span<const std::uint8_t> octets() const {
    return {octets_.data(), family_ == Family::ipv4 ? std::size_t{4} : std::size_t{16}};
  }
  constexpr bool unspecified() const { return octets_ == std::array<std::uint8_t, 16>{}; }
  std::string to_string() const;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Family family_ = Family::ipv4;
  std::array<std::uint8_t, 16> octets_{};
};

// A transport address: the RFCs' "IP address and port".
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "192.0.2.1:3478" or "[2001:db8::1]:3478".
  static std::optional<Endpoint> parse(std::string_view text);
  std::string to_string() const;

  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};
static_assert(sizeof(Endpoint) == 20);

// How a client reaches us.
enum class Transport : std::uint8_t { udp, tcp, tls, dtls };
inline constexpr std::size_t transport_count = 4;
std::string_view name(Transport transport);
// Whether messages travel in datagrams, one in each, and not in a stream: DTLS is over UDP
// (RFC 7350).
constexpr bool over_udp(Transport transport) {
  return transport == Transport::udp || transport == Transport::dtls;
}

// RFC 8656 §3.2: what identifies an allocation.
struct FiveTuple {
  Transport transport = Transport::udp;
  Endpoint client;
  Endpoint server;

  friend constexpr auto operator<=>(const FiveTuple&, const FiveTuple&) = default;
};

// For boost::unordered; found by argument-dependent lookup.
std::size_t hash_value(const IpAddress& address);
std::size_t hash_value(const Endpoint& endpoint);
std::size_t hash_value(const FiveTuple& tuple);

}  // namespace yuelao
