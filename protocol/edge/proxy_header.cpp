#include "protocol/edge/proxy_header.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace yuelao::edge {
namespace {

using ParsedHeader = std::expected<ProxyHeader, ProxyHeaderError>;
using std::string_view_literals::operator""sv;

// Version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"
constexpr auto v1_start = "PROXY "sv;
constexpr auto line_end = "\r\n"sv;
constexpr std::size_t v1_limit = 107;

// Version 2: 12 octets of signature, version and command, family and protocol, and the
// length of what follows.
constexpr auto v2_signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t v2_head = 16;
constexpr unsigned version_2 = 2;
constexpr unsigned command_local = 0;
constexpr unsigned command_proxy = 1;
constexpr unsigned last_family = 3;  // AF_UNIX
constexpr unsigned last_protocol = 2;
constexpr unsigned tcp_over_ipv4 = 0x11;
constexpr unsigned tcp_over_ipv6 = 0x21;

std::unexpected<ProxyHeaderError> malformed() {
  return std::unexpected{ProxyHeaderError::malformed};
}

// Whether `received` is the start of something that starts with `start`.
bool agrees(std::string_view received, std::string_view start) {
  const auto size = std::min(received.size(), start.size());
  return received.substr(0, size) == start.substr(0, size);
}

// Takes the text up to the next space off `line`; all of it where there is none.
std::string_view take_word(std::string_view& line) {
  const auto space = line.find(' ');
  const auto word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

// Without zeros before it: they might be taken for octal (§2.1).
std::optional<std::uint16_t> port(std::string_view digits) {
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// "192.0.2.1 192.0.2.2 56324 443"
std::optional<Proxied> addresses(std::string_view line, std::string_view protocol) {
  const bool v4 = protocol == "TCP4";
  const auto read = [&]() -> std::optional<IpAddress> {
    const auto word = take_word(line);
    const bool spelt_as_v4 = word.find(':') == std::string_view::npos;
    return spelt_as_v4 == v4 ? IpAddress::parse(word) : std::nullopt;
  };
  const auto source = read();
  const auto destination = read();
  const auto source_port = port(take_word(line));
  const auto destination_port = port(line);
  if (!source || !destination || !source_port || !destination_port) return std::nullopt;
  return Proxied{{*source, *source_port}, {*destination, *destination_port}};
}

ParsedHeader parse_line(std::string_view received) {
  const auto end = received.substr(0, v1_limit).find(line_end);
  if (end == std::string_view::npos) {
    return received.size() < v1_limit ? ParsedHeader{} : ParsedHeader{malformed()};
  }
  auto line = received.substr(v1_start.size(), end - v1_start.size());
  const auto protocol = take_word(line);
  ProxyHeader header{.proxied = {}, .consumed = end + line_end.size()};
  if (protocol == "UNKNOWN") return header;
  if (protocol != "TCP4" && protocol != "TCP6") return malformed();
  header.proxied = addresses(line, protocol);
  return header.proxied ? ParsedHeader{header} : ParsedHeader{malformed()};
}

template <std::size_t n>
std::array<std::uint8_t, n> octets(Bytes at) {
  std::array<std::uint8_t, n> result{};
  std::ranges::transform(at.first(n), result.begin(),
                         [](std::byte octet) { return std::to_integer<std::uint8_t>(octet); });
  return result;
}

std::optional<Proxied> addresses_v4(Bytes at) {
  if (at.size() < 12) return std::nullopt;
  return Proxied{{IpAddress::v4(octets<4>(at)), load_u16(at.subspan(8))},
                 {IpAddress::v4(octets<4>(at.subspan(4))), load_u16(at.subspan(10))}};
}

std::optional<Proxied> addresses_v6(Bytes at) {
  if (at.size() < 36) return std::nullopt;
  return Proxied{{IpAddress::v6(octets<16>(at)), load_u16(at.subspan(32))},
                 {IpAddress::v6(octets<16>(at.subspan(16))), load_u16(at.subspan(34))}};
}

ParsedHeader parse_binary(Bytes received) {
  if (received.size() < v2_head) return {};
  const auto version = std::to_integer<unsigned>(received[12] >> 4);
  const auto command = std::to_integer<unsigned>(received[12] & std::byte{0x0F});
  const auto kind = std::to_integer<unsigned>(received[13]);
  if (version != version_2 || command > command_proxy) return malformed();
  if (kind >> 4U > last_family || (kind & 0x0FU) > last_protocol) return malformed();

  const std::size_t size = v2_head + load_u16(received.subspan(14));
  if (size > proxy_header_limit) return std::unexpected{ProxyHeaderError::too_long};
  if (received.size() < size) return {};
  ProxyHeader header{.proxied = {}, .consumed = size};
  const bool known = kind == tcp_over_ipv4 || kind == tcp_over_ipv6;
  if (command == command_local || !known) return header;
  const auto body = received.first(size).subspan(v2_head);
  header.proxied = kind == tcp_over_ipv4 ? addresses_v4(body) : addresses_v6(body);
  return header.proxied ? ParsedHeader{header} : ParsedHeader{malformed()};
}

void store_address(MutableBytes at, const IpAddress& address) {
  const auto raw = std::as_bytes(address.octets());
  const std::size_t room = at.size();
  if (raw.size() < room) {  // IPv4 in IPv6's place: its mapped form
    at[room - raw.size() - 2] = at[room - raw.size() - 1] = std::byte{0xFF};
  }
  std::ranges::copy(raw, at.last(raw.size()).begin());
}

}  // namespace

ParsedHeader parse_proxy_header(Bytes received) {
  const auto text = as_text(received);
  if (agrees(text, v1_start))
    return text.size() < v1_start.size() ? ParsedHeader{} : parse_line(text);
  if (agrees(text, v2_signature)) return parse_binary(received);
  return std::unexpected{ProxyHeaderError::not_a_header};
}

Bytes compose_proxy_header(const Proxied& proxied, ComposedProxyHeader& room) {
  room = {};
  const bool v4 = proxied.source.address.family() == Family::ipv4 &&
                  proxied.destination.address.family() == Family::ipv4;
  const std::size_t address = v4 ? 4 : 16;
  const std::size_t body = 2 * (address + 2);
  const MutableBytes out{room};
  std::ranges::copy(as_bytes(v2_signature), out.begin());
  out[12] = std::byte{version_2 << 4U | command_proxy};
  out[13] = static_cast<std::byte>(v4 ? tcp_over_ipv4 : tcp_over_ipv6);
  store_u16(out.subspan(14), static_cast<std::uint16_t>(body));
  const auto addresses = out.subspan(v2_head, body);
  store_address(addresses.first(address), proxied.source.address);
  store_address(addresses.subspan(address, address), proxied.destination.address);
  store_u16(addresses.subspan(2 * address), proxied.source.port);
  store_u16(addresses.subspan(2 * address + 2), proxied.destination.port);
  return out.first(v2_head + body);
}

}  // namespace yuelao::edge
