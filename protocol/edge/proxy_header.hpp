#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"

namespace yuelao::edge {

// HAProxy's PROXY protocol, versions 1 (a line of text) and 2 (binary): what a proxy
// says of a connection before the connection's own octets.

// The two ends of the connection that the proxy took.
struct Proxied {
  Endpoint source;
  Endpoint destination;

  friend constexpr auto operator<=>(const Proxied&, const Proxied&) = default;
};

struct ProxyHeader {
  // Empty when the proxy speaks for itself (LOCAL: a health check) or does not know, or
  // tells of another kind of address: the connection's own addresses count then.
  std::optional<Proxied> proxied;
  // Octets to take off the stream; 0 when more are needed.
  std::size_t consumed = 0;
};

enum class ProxyHeaderError : std::uint8_t {
  not_a_header,  // the first octets are neither version's
  malformed,     // begins as a header and goes on as none
  too_long,      // over proxy_header_limit
};

// Version 1 has at most 107 octets, version 2 an address and whatever the proxy adds.
inline constexpr std::size_t proxy_header_limit = 2048;

// Reads the header at the start of `received`. No octet that begins TLS, STUN or
// ChannelData begins a header, so one octet is enough for not_a_header.
std::expected<ProxyHeader, ProxyHeaderError> parse_proxy_header(Bytes received);

// The longest header compose_proxy_header() writes.
inline constexpr std::size_t composed_proxy_header_bytes = 52;
using ComposedProxyHeader = std::array<std::byte, composed_proxy_header_bytes>;

// Writes a header of version 2 for a TCP connection into `room`; the view aliases it.
Bytes compose_proxy_header(const Proxied& proxied, ComposedProxyHeader& room);

}  // namespace yuelao::edge
