#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/endpoint.hpp"

namespace yuelao::client {

// A "stun:", "stuns:" (RFC 7064 §3.1), "turn:" or "turns:" URI (RFC 7065 §3.1).
struct Uri {
  enum class Scheme : std::uint8_t { stun, stuns, turn, turns };

  Scheme scheme = Scheme::turn;
  // As written, percent-encoding undone; an IPv6 literal without its brackets.
  std::string host;
  // The host where it is an IP literal.
  std::optional<IpAddress> address;
  std::optional<std::uint16_t> port;
  // "?transport=", `udp` or `tcp` alone: "turns" makes TLS or DTLS of them. Empty: not said.
  std::optional<Transport> transport;

  bool secure() const { return scheme == Scheme::stuns || scheme == Scheme::turns; }
  bool relays() const { return scheme == Scheme::turn || scheme == Scheme::turns; }
  // RFC 7064 §3.2, RFC 7065 §3.2 and RFC 7350 §4.6: 3478, or 5349 with TLS or DTLS.
  std::uint16_t default_port() const { return secure() ? 5349 : 3478; }

  // As the RFCs write it; what parse() makes of it is equal.
  std::string to_string() const;
  friend bool operator==(const Uri&, const Uri&) = default;
};

std::string_view name(Uri::Scheme scheme);

enum class UriError : std::uint8_t {
  unknown_scheme,     // none of the four, or no colon
  hierarchical,       // "turn://": these URIs have no slashes (RFC 7065 §3.1)
  user_information,   // "turn:user@host": credentials are no part of them
  no_host,            // nothing before the port or the query
  bad_host,           // neither an IP literal nor a name of RFC 3986's reg-name, 255 octets at most
  bad_port,           // not 1 to 65535
  bad_query,          // something else than one "transport=" behind "?", or any on "stun"
  unknown_transport,  // neither udp nor tcp
  secure_address,     // "stuns" needs a name to believe a certificate for (RFC 8489 §8.1)
};

// One sentence for a person, with the fix and a full stop.
std::string_view explain(UriError error);

// The scheme and the transport are read without regard to case (RFC 3986 §3.1, RFC 5234
// §2.3).
std::expected<Uri, UriError> parse_uri(std::string_view text);

}  // namespace yuelao::client
