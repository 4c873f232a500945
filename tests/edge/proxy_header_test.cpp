#include "protocol/edge/proxy_header.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace yuelao::edge::proxy_header_test {
namespace {

using std::string_literals::operator""s;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string v4_addresses = "\xC0\x00\x02\x01\xC0\x00\x02\x02\xDC\x04\x01\xBB"s;
const std::string v6_addresses =
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"s
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02"s
    "\xDC\x04\x01\xBB"s;

const Proxied over_v4{{IpAddress::v4({192, 0, 2, 1}), 56324}, {IpAddress::v4({192, 0, 2, 2}), 443}};
const Proxied over_v6{*Endpoint::parse("[2001:db8::1]:56324"),
                      *Endpoint::parse("[2001:db8::2]:443")};

// A header of version 2, its length field right.
std::string binary(char version_and_command, char kind, const std::string& body) {
  const auto size = static_cast<unsigned>(body.size());
  return signature + version_and_command + kind + static_cast<char>(size >> 8U) +
         static_cast<char>(size & 0xFFU) + body;
}

struct Known {
  std::string what;
  std::string header;
  std::optional<Proxied> proxied;
};

std::vector<Known> known_headers() {
  const std::string tlv = "\x02\x00\x09turn.test\x04\x00\x00"s;
  return {
      {"version 1, IPv4", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", over_v4},
      {"version 1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", over_v6},
      {"version 1, unknown", "PROXY UNKNOWN\r\n", std::nullopt},
      {"version 1, unknown with more", "PROXY UNKNOWN ffff::1 x y z\r\n", std::nullopt},
      {"version 2, IPv4", binary('\x21', '\x11', v4_addresses), over_v4},
      {"version 2, IPv6", binary('\x21', '\x21', v6_addresses), over_v6},
      {"version 2, IPv4 and TLVs", binary('\x21', '\x11', v4_addresses + tlv), over_v4},
      {"version 2, a health check", binary('\x20', '\x00', ""), std::nullopt},
      {"version 2, a health check with addresses", binary('\x20', '\x11', v4_addresses),
       std::nullopt},
      {"version 2, a local socket", binary('\x21', '\x31', std::string(216, 'x')), std::nullopt},
      {"version 2, datagrams", binary('\x21', '\x12', v4_addresses), std::nullopt},
      {"version 2, of no kind", binary('\x21', '\x00', "x"), std::nullopt},
  };
}

}  // namespace

TEST_CASE("a PROXY header is read wherever it is cut, and what follows is left alone") {
  for (const auto& [what, header, proxied] : known_headers()) {
    for (const std::string& rest : {""s, "\x16\x03\x01"s, header}) {
      const auto text = header + rest;
      for (std::size_t size = 0; size <= text.size(); ++size) {
        CAPTURE(what);
        CAPTURE(size);
        const auto parsed = parse_proxy_header(as_bytes(text).first(size));
        REQUIRE(parsed);
        const bool whole = size >= header.size();
        CHECK(parsed->consumed == (whole ? header.size() : 0));
        CHECK(parsed->proxied == (whole ? proxied : std::nullopt));
      }
    }
  }
}

TEST_CASE("what begins TLS, STUN or ChannelData is no PROXY header, from its first octet on") {
  for (unsigned first = 0; first < 256; ++first) {
    CAPTURE(first);
    const std::array start{static_cast<std::byte>(first)};
    const auto parsed = parse_proxy_header(start);
    CHECK(parsed.has_value() == (first == 'P' || first == '\r'));
    if (!parsed) CHECK(parsed.error() == ProxyHeaderError::not_a_header);
  }
  for (const auto* text : {"POST / HTTP/1.1\r\n", "\r\n\r\nGET", "PROXY\r\n", "proxy TCP4 "}) {
    CAPTURE(text);
    const auto parsed = parse_proxy_header(as_bytes(text));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == ProxyHeaderError::not_a_header);
  }
}

TEST_CASE("a PROXY header that goes wrong is malformed, and waited for no longer") {
  const std::string rows[] = {
      "PROXY \r\n",
      "PROXY TCP4\r\n",
      "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
      "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 1 00\r\n",
      "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
      "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
      "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
      "PROXY TCP4 ::ffff:192.0.2.1 192.0.2.2 1 2\r\n",
      "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
      "PROXY UNKNOWN" + std::string(94, 'x'),
      binary('\x11', '\x11', v4_addresses),                // version 1 in binary
      binary('\x22', '\x11', v4_addresses),                // no such command
      binary('\x21', '\x41', v4_addresses),                // no such family
      binary('\x21', '\x13', v4_addresses),                // no such protocol
      binary('\x21', '\x11', v4_addresses.substr(0, 11)),  // too short for its family
      binary('\x21', '\x21', v6_addresses.substr(0, 35)),
  };
  for (const auto& row : rows) {
    CAPTURE(row);
    const auto parsed = parse_proxy_header(as_bytes(row));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == ProxyHeaderError::malformed);
  }
}

TEST_CASE("a PROXY header is bounded before it is waited for") {
  const auto sized = [](std::size_t body) {
    return binary('\x21', '\x11', v4_addresses + std::string(body - v4_addresses.size(), '\0'));
  };
  const auto longest = sized(proxy_header_limit - 16);
  CHECK(parse_proxy_header(as_bytes(longest))->consumed == proxy_header_limit);
  CHECK(parse_proxy_header(as_bytes(longest).first(16))->consumed == 0);
  const auto over = sized(proxy_header_limit - 15);
  CHECK(parse_proxy_header(as_bytes(over).first(16)).error() == ProxyHeaderError::too_long);
  const std::string line = "PROXY UNKNOWN " + std::string(91, 'x');
  CHECK(parse_proxy_header(as_bytes(line + "\r\n"))->consumed == 107);
  CHECK(parse_proxy_header(as_bytes(line + "\r"))->consumed == 0);
}

TEST_CASE("a PROXY header is written as version 2") {
  ComposedProxyHeader room;
  room.fill(std::byte{0xAA});
  CHECK(as_text(compose_proxy_header(over_v4, room)) == binary('\x21', '\x11', v4_addresses));
  CHECK(as_text(compose_proxy_header(over_v6, room)) == binary('\x21', '\x21', v6_addresses));

  // Ends of different families: both as IPv6, which mean the same when they are read.
  const Proxied mixed{over_v4.source, over_v6.destination};
  const auto composed = compose_proxy_header(mixed, room);
  CHECK(composed.size() == composed_proxy_header_bytes);
  CHECK(parse_proxy_header(composed)->proxied == mixed);
}

}  // namespace yuelao::edge::proxy_header_test
