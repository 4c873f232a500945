#include "protocol/client/uri.hpp"

#include <doctest/doctest.h>

namespace yuelao::client::uri_test {
namespace {

TEST_CASE("a STUN or TURN URI is read, and written as it was") {  // RFC 7064 and 7065, appendices
  struct Row {
    std::string_view text;
    Uri::Scheme scheme;
    std::string_view host;
    int port;  // 0: none
    std::optional<Transport> transport;
  };
  using enum Uri::Scheme;
  const Row rows[] = {
      {"stun:example.org", stun, "example.org", 0, {}},
      {"stuns:example.org", stuns, "example.org", 0, {}},
      {"stun:example.org:8000", stun, "example.org", 8000, {}},
      {"turn:example.org", turn, "example.org", 0, {}},
      {"turns:example.org", turns, "example.org", 0, {}},
      {"turn:example.org:8000", turn, "example.org", 8000, {}},
      {"turn:example.org?transport=udp", turn, "example.org", 0, Transport::udp},
      {"turn:example.org:1?transport=tcp", turn, "example.org", 1, Transport::tcp},
      {"turns:example.org?transport=tcp", turns, "example.org", 0, Transport::tcp},
      {"turns:example.org?transport=udp", turns, "example.org", 0, Transport::udp},
      {"turn:192.0.2.1:65535", turn, "192.0.2.1", 65535, {}},
      {"turn:[2001:db8::1]:3478", turn, "2001:db8::1", 3478, {}},
      {"stun:[::ffff:192.0.2.1]", stun, "::ffff:192.0.2.1", 0, {}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto uri = parse_uri(row.text);
    REQUIRE(uri);
    CHECK(uri->scheme == row.scheme);
    CHECK(uri->host == row.host);
    CHECK(uri->port.value_or(0) == row.port);
    CHECK(uri->transport == row.transport);
    CHECK(uri->address == IpAddress::parse(row.host));
    CHECK(uri->to_string() == row.text);
  }
}

TEST_CASE("case and percent-encoding make no other URI") {  // RFC 3986 §3.1, §2.1
  CHECK(parse_uri("TURN:example.org?TRANSPORT=UDP") == parse_uri("turn:example.org?transport=udp"));
  CHECK(parse_uri("turn:ex%61mple.org") == parse_uri("turn:example.org"));
}

TEST_CASE("what is no STUN or TURN URI is refused for its reason") {
  struct Row {
    std::string_view text;
    UriError error;
  };
  using enum UriError;
  const std::string long_name = "turn:" + std::string(256, 'a');
  const Row rows[] = {
      {"", unknown_scheme},
      {"turn", unknown_scheme},
      {"http:example.org", unknown_scheme},
      {"turn://example.org", hierarchical},
      {"turn:user@example.org", user_information},
      {"turn:", no_host},
      {"turn::3478", no_host},
      {"turn:?transport=udp", no_host},
      {"turn:[2001:db8::1", bad_host},
      {"turn:[192.0.2.1]", bad_host},
      {"turn:a b", bad_host},
      {"turn:a/b", bad_host},
      {"turn:a%00b", bad_host},
      {"turn:a%4", bad_host},
      {long_name, bad_host},
      {"stuns:192.0.2.1", secure_address},
      {"stuns:[2001:db8::1]:5349", secure_address},
      {"turn:a:", bad_port},
      {"turn:a:0", bad_port},
      {"turn:a:65536", bad_port},
      {"turn:a:-1", bad_port},
      {"turn:[::1]3478", bad_query},
      {"turn:a?", bad_query},
      {"turn:a?x=y", bad_query},
      {"stun:a?transport=udp", bad_query},
      {"turn:a?transport=", unknown_transport},
      {"turn:a?transport=tls", unknown_transport},
      {"turn:a?transport=udp&transport=tcp", unknown_transport},
      {"turns:a?transport=dtls", unknown_transport},
  };
  for (const auto& [text, error] : rows) {
    CAPTURE(text);
    const auto uri = parse_uri(text);
    REQUIRE_FALSE(uri);
    CHECK(uri.error() == error);
    CHECK(explain(error).ends_with('.'));
  }
}

}  // namespace
}  // namespace yuelao::client::uri_test
