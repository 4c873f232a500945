#include "protocol/edge/client_hello.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/hex.hpp"

namespace yuelao::edge::client_hello_test {
namespace {

using std::string_literals::operator""s;
using Names = std::vector<std::string>;

std::string u16(std::size_t value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xFFU)};
}
std::string behind_u16(const std::string& body) { return u16(body.size()) + body; }
std::string behind_u8(const std::string& body) { return static_cast<char>(body.size()) + body; }

std::string extension(unsigned kind, const std::string& body) {
  return u16(kind) + behind_u16(body);
}
std::string server_name(const std::string& name) {
  return extension(0, behind_u16("\0"s + behind_u16(name)));
}
std::string protocols(const Names& names) {
  std::string list;
  for (const auto& name : names) list += behind_u8(name);
  return extension(16, behind_u16(list));
}

std::string record(const std::string& fragment) { return "\x16\x03\x01"s + behind_u16(fragment); }

// The handshake message; `tail` stands where the extensions with their length belong.
std::string message(const std::string& tail) {
  const auto body = "\x03\x03"s + std::string(32, 'r') + behind_u8(std::string(32, 's')) +
                    behind_u16("\x13\x01"s) + behind_u8("\0"s) + tail;
  return "\x01\0"s + behind_u16(body);
}
std::string hello(const std::string& extensions) { return message(behind_u16(extensions)); }

// The message in records of `size` octets each.
std::string in_records(const std::string& message, std::size_t size) {
  std::string records;
  for (std::size_t at = 0; at < message.size(); at += size) {
    records += record(message.substr(at, size));
  }
  return records;
}

void check_at_every_length(Bytes whole, const std::string& name, const Names& alpn) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const auto parsed = parse_client_hello(whole.first(size));
    REQUIRE(parsed);
    CHECK_FALSE(parsed->has_value());
  }
  const auto parsed = parse_client_hello(whole);
  REQUIRE(parsed);
  REQUIRE(parsed->has_value());
  CHECK((*parsed)->server_name == name);
  CHECK((*parsed)->protocols == alpn);
}

}  // namespace

TEST_CASE("the ClientHello of real clients is read, wherever it is cut") {
  struct Row {
    std::string file;
    Names alpn;
  };
  const Row rows[] = {{"client_hello_chromium.hex", {"h2", "http/1.1"}},
                      {"client_hello_curl.hex", {"h2", "http/1.1"}},
                      {"client_hello_openssl.hex", {}}};
  for (const auto& [file, alpn] : rows) {
    CAPTURE(file);
    check_at_every_length(test::vector_file(file), "turn.test", alpn);
  }
}

TEST_CASE("a ClientHello may come in records of any size") {  // RFC 8446 §5.1
  const auto whole = hello(server_name("a.example") + protocols({"stun.turn", "h2"}));
  for (std::size_t size = 1; size <= whole.size(); ++size) {
    CAPTURE(size);
    const auto parsed = parse_client_hello(as_bytes(in_records(whole, size) + "rest"));
    REQUIRE(parsed);
    REQUIRE(parsed->has_value());
    CHECK((*parsed)->server_name == "a.example");
    CHECK((*parsed)->protocols == Names{"stun.turn", "h2"});
  }
  check_at_every_length(as_bytes(in_records(whole, 7)), "a.example", {"stun.turn", "h2"});
}

TEST_CASE("a client may name neither host nor protocol") {
  check_at_every_length(as_bytes(record(message(""))), "", {});
  check_at_every_length(as_bytes(record(hello(""))), "", {});
  check_at_every_length(as_bytes(record(hello(extension(0x2A2A, "grease")))), "", {});
  // A name of a kind that nobody has defined.
  check_at_every_length(as_bytes(record(hello(extension(0, behind_u16("\x01\0\x01x"s))))), "", {});
}

TEST_CASE("what is no ClientHello is told by its first octets") {
  const std::string rows[] = {"\x15"s, "GET / HTTP/1.1\r\n", "\x00\x01"s, "\x16\x02"s,
                              record("\x02\0\0\x01x"s)};
  for (const auto& row : rows) {
    CAPTURE(row);
    const auto parsed = parse_client_hello(as_bytes(row));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == ClientHelloError::not_a_client_hello);
  }
}

TEST_CASE("lengths that contradict each other are malformed") {
  const std::string rows[] = {
      "\x16\x03\x01\x00\x00"s,                                      // an empty fragment
      "\x16\x03\x01\x40\x01"s,                                      // longer than a record is
      record("\x01\0\0\0"s),                                        // an empty ClientHello
      record(message("\0"s)),                                       // half a length
      record(message("\0\x05\0"s)),                                 // extensions over the end
      record(message(behind_u16("") + "x")),                        // octets behind them
      record(hello("\0\0\0\x05x"s)),                                // an extension over the end
      record(hello(extension(0, ""))),                              // a list without a length
      record(hello(extension(0, "\0\x04\0\0\x05x"s))),              // a name over its end
      record(hello(extension(0, behind_u16("\0\0\x01x"s) + "y"))),  // octets behind the list
      record(hello(extension(16, "\0\x03\x02h2x"s))),               // octets behind the list
      record(hello(extension(16, behind_u16("\x03h2"s)))),          // a protocol over its end
      record(hello(protocols({""}))),                               // a protocol without a name
  };
  for (const auto& row : rows) {
    CAPTURE(row);
    const auto parsed = parse_client_hello(as_bytes(row));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == ClientHelloError::malformed);
  }
}

TEST_CASE("a ClientHello is bounded, whole and in small records") {
  const auto sized = [](std::size_t size) {
    const auto empty = hello(extension(21, "")).size();
    return hello(extension(21, std::string(size - empty, '\0')));
  };
  CHECK(parse_client_hello(as_bytes(record(sized(client_hello_limit - 5))))->has_value());
  const auto over = "\x16\x03\x01\x00\x04\x01\x00\x40\x00"s;  // says that it has 2^14 + 4 octets
  CHECK(parse_client_hello(as_bytes(over)).error() == ClientHelloError::too_long);

  const auto drops = in_records(sized(4000), 1);
  const auto waiting = parse_client_hello(as_bytes(drops).first(client_hello_limit - 1));
  REQUIRE(waiting);
  CHECK_FALSE(waiting->has_value());
  CHECK(parse_client_hello(as_bytes(drops).first(client_hello_limit)).error() ==
        ClientHelloError::too_long);
}

}  // namespace yuelao::edge::client_hello_test
