#include "protocol/client/uri.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace yuelao::client {
namespace {

using Scheme = Uri::Scheme;

constexpr std::array schemes{Scheme::stun, Scheme::stuns, Scheme::turn, Scheme::turns};
constexpr std::size_t longest_host = 255;  // RFC 1035 §2.3.4

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

constexpr bool alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

// RFC 3986 §2.2, §2.3: what a reg-name holds without encoding it.
bool plain(char c) { return alphanumeric(c) || std::string_view{"-._~!$&'()*+,;="}.contains(c); }

// Whether `encoded` begins with RFC 3986's pct-encoded.
std::optional<char> percent_decoded(std::string_view encoded) {
  unsigned value = 0;
  if (encoded.size() < 3 || encoded[0] != '%') return std::nullopt;
  const char* const end = encoded.data() + 3;
  const auto [stopped, error] = std::from_chars(encoded.data() + 1, end, value, 16);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return static_cast<char>(value);
}

// A decoded octet that a resolver would take for something else is no part of a name.
std::optional<std::string> reg_name(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    const auto decoded = percent_decoded(text);
    const char c = decoded.value_or(text.front());
    if (!plain(c) && !(decoded && static_cast<unsigned char>(c) >= 0x80)) return std::nullopt;
    name += c;
    text.remove_prefix(decoded ? 3 : 1);
  }
  return name.size() <= longest_host ? std::optional{name} : std::nullopt;
}

// Takes what stands before the first of `stops` off the front of `text`.
std::string_view take_until(std::string_view& text, std::string_view stops) {
  const auto part = text.substr(0, text.find_first_of(stops));
  text.remove_prefix(part.size());
  return part;
}

std::expected<void, UriError> take_literal(std::string_view& rest, Uri& uri) {
  rest.remove_prefix(1);
  const auto literal = take_until(rest, "]");
  uri.address = IpAddress::parse(literal);
  // Brackets are for IPv6 (RFC 3986 §3.2.2); future versions there are none of.
  if (rest.empty() || !uri.address || !literal.contains(':')) {
    return std::unexpected{UriError::bad_host};
  }
  rest.remove_prefix(1);
  uri.host = literal;
  return {};
}

std::expected<void, UriError> take_host(std::string_view& rest, Uri& uri) {
  if (rest.starts_with("//")) return std::unexpected{UriError::hierarchical};
  if (rest.substr(0, rest.find('?')).contains('@')) {
    return std::unexpected{UriError::user_information};
  }
  if (rest.starts_with('[')) return take_literal(rest, uri);
  const auto written = take_until(rest, ":?");
  if (written.empty()) return std::unexpected{UriError::no_host};
  auto host = reg_name(written);
  if (!host) return std::unexpected{UriError::bad_host};
  uri.host = *std::move(host);
  uri.address = IpAddress::parse(uri.host);
  return {};
}

std::expected<void, UriError> take_port(std::string_view& rest, Uri& uri) {
  if (!rest.starts_with(':')) return {};
  rest.remove_prefix(1);
  const auto digits = take_until(rest, "?");
  std::uint16_t port = 0;
  const auto [stopped, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || stopped != digits.data() + digits.size() || port == 0) {
    return std::unexpected{UriError::bad_port};
  }
  uri.port = port;
  return {};
}

std::expected<void, UriError> take_query(std::string_view rest, Uri& uri) {
  if (rest.empty()) return {};
  constexpr std::string_view key = "?transport=";
  if (!uri.relays() || !same(rest.substr(0, key.size()), key)) {
    return std::unexpected{UriError::bad_query};
  }
  const auto value = rest.substr(key.size());
  for (const auto transport : {Transport::udp, Transport::tcp}) {
    if (same(value, name(transport))) uri.transport = transport;
  }
  if (!uri.transport) return std::unexpected{UriError::unknown_transport};
  return {};
}

}  // namespace

std::string_view name(Scheme scheme) {
  constexpr std::array<std::string_view, schemes.size()> names{"stun", "stuns", "turn", "turns"};
  return names[static_cast<std::size_t>(scheme)];
}

std::string Uri::to_string() const {
  std::string text{name(scheme)};
  text += host.contains(':') ? ":[" + host + "]" : ":" + host;
  if (port) text += ":" + std::to_string(*port);
  if (transport) text += "?transport=" + std::string{name(*transport)};
  return text;
}

std::string_view explain(UriError error) {
  switch (error) {
    case UriError::unknown_scheme:
      return "it must begin with stun:, stuns:, turn: or turns:.";
    case UriError::hierarchical:
      return "there are no slashes in these URIs: write turn:HOST, not turn://HOST.";
    case UriError::user_information:
      return "credentials are no part of these URIs: leave out what stands before the @.";
    case UriError::no_host:
      return "it names no host: write turn:HOST or turn:HOST:PORT.";
    case UriError::bad_host:
      return "its host is neither a name nor an address: an IPv6 address stands in brackets.";
    case UriError::bad_port:
      return "its port is not a number from 1 to 65535.";
    case UriError::bad_query:
      return "only ?transport=udp or ?transport=tcp may follow, and only on turn: and turns:.";
    case UriError::unknown_transport:
      return "its transport is neither udp nor tcp.";
    case UriError::secure_address:
      return "stuns: takes the name that stands in the certificate, and no address.";
  }
  return {};
}

std::expected<Uri, UriError> parse_uri(std::string_view text) {
  const auto written = text.substr(0, text.find(':'));
  const auto* const scheme =
      std::ranges::find_if(schemes, [&](Scheme s) { return same(written, name(s)); });
  if (scheme == schemes.end() || written.size() == text.size()) {
    return std::unexpected{UriError::unknown_scheme};
  }
  Uri uri;
  uri.scheme = *scheme;
  auto rest = text.substr(written.size() + 1);
  if (const auto host = take_host(rest, uri); !host) return std::unexpected{host.error()};
  if (uri.scheme == Scheme::stuns && uri.address) {
    return std::unexpected{UriError::secure_address};
  }
  if (const auto port = take_port(rest, uri); !port) return std::unexpected{port.error()};
  if (const auto query = take_query(rest, uri); !query) return std::unexpected{query.error()};
  return uri;
}

}  // namespace yuelao::client
