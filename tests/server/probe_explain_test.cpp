#include "server/probe/explain.hpp"

#include <doctest/doctest.h>

#include <cerrno>

namespace yuelao::probe::probe_explain_test {
namespace {

using namespace std::chrono_literals;
using client::ChallengeError;
using client::Failure;

Place place(Transport transport, std::string_view server = "192.0.2.1:3478") {
  return {transport, Endpoint::parse(server).value()};
}

Failure failure_of(Failure::Reason reason) {
  Failure failure;
  failure.reason = reason;
  return failure;
}

bool a_sentence(const std::string& text) {
  return !text.empty() && text.front() >= 'A' && text.front() <= 'Z' && text.ends_with('.');
}

TEST_CASE("what a server offers those who authenticate is told in one sentence") {
  using stun::KeyAlgorithm;
  struct Row {
    client::Offer offer;
    std::string_view text;
  };
  const Row rows[] = {
      {{}, "The server authenticates as RFC 5389 says, with MD5, and does not hide user names."},
      {{.algorithms = {2, 1}, .chosen = KeyAlgorithm::sha256, .user_anonymity = true},
       "The server offers the password algorithms SHA-256, MD5, of which SHA-256 was used, and "
       "hides user names."},
      {{.algorithms = {9, 1}, .chosen = KeyAlgorithm::md5, .user_anonymity = false},
       "The server offers the password algorithms 0x0009, MD5, of which MD5 was used, and does "
       "not hide user names."},
  };
  for (const auto& [offer, text] : rows) CHECK(explain(offer) == text);
}

TEST_CASE("an error of the network is told as what to look at, with transport and port") {
  struct Row {
    int error;
    Transport transport;
    std::string_view holds;
  };
  const Row rows[] = {
      {ECONNREFUSED, Transport::udp, "Nothing listens on UDP port 3478"},
      {ECONNREFUSED, Transport::tls, "Nothing listens on TCP port 3478"},
      {ETIMEDOUT, Transport::tcp, "No answer on TCP port 3478 in time"},
      {EHOSTUNREACH, Transport::udp, "the host cannot be reached"},
      {EPERM, Transport::udp, "own firewall"},
      {EACCES, Transport::tcp, "own firewall"},
      {ENODATA, Transport::tcp, "closed the connection"},
      {ECONNRESET, Transport::tls, "closed the connection"},
      {EBADMSG, Transport::tcp, "speaks neither STUN nor TURN"},
      {EINVAL, Transport::udp, "The system says: Invalid argument"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.error);
    const auto text = explain(LinkError{row.error, {}}, place(row.transport));
    CHECK(text.contains(row.holds));
    CHECK(a_sentence(text));
    CHECK_FALSE(is_ours({row.error, {}}));
  }
}

TEST_CASE("a machine without a route is not the server's fault") {
  for (const int error : {ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT}) {
    CHECK(is_ours({error, {}}));
    CHECK(explain(LinkError{error, {}}, place(Transport::udp)).contains("no IPv4 route"));
    CHECK(explain(LinkError{error, {}}, place(Transport::udp, "[2001:db8::1]:3478"))
              .contains("no IPv6 route"));
  }
}

TEST_CASE("a TLS handshake that fails is told from a connection that does") {
  const auto text = explain(LinkError{0, "wrong version number"}, place(Transport::tls));
  CHECK(text.contains("TLS does not come about: wrong version number"));
  CHECK(text.contains("TCP port 3478"));
}

TEST_CASE("a refusal has its code, the server's words made printable, and what it means") {
  struct Row {
    std::uint16_t code;
    std::string_view holds;
  };
  const Row rows[] = {
      // RFC 8489 §14.8, RFC 8656 §19
      {300, "another server"}, {400, "malformed"},     {401, "user name or the password"},
      {403, "forbid"},         {437, "does not know"}, {438, "stale"},
      {440, "address family"}, {441, "other cred"},    {442, "does not relay UDP"},
      {443, "family"},         {486, "quota"},         {508, "no relay port left"},
      {599, "no reason"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.code);
    auto failure = failure_of(Failure::Reason::refused);
    failure.code = row.code;
    failure.phrase = "No\x1B";
    const auto text = explain(Trouble{failure, 0}, place(Transport::udp));
    CHECK(text.starts_with("The server refuses with " + std::to_string(row.code) + " (No?): "));
    CHECK(text.contains(row.holds));
    CHECK(a_sentence(text));
  }
  auto elsewhere = failure_of(Failure::Reason::refused);
  elsewhere.code = 300;
  elsewhere.alternate = Endpoint::parse("192.0.2.9:3478");
  CHECK(explain(Trouble{elsewhere, 0}, place(Transport::udp)).contains("192.0.2.9:3478"));
}

TEST_CASE("every other failure of a request is a sentence of its own") {
  using enum Failure::Reason;
  const auto text = [](Failure failure, Transport transport) {
    return explain(Trouble{std::move(failure), 0}, place(transport));
  };
  CHECK(text(failure_of(silent), Transport::udp).contains("drops the datagrams"));
  CHECK(text(failure_of(silent), Transport::tcp).contains("The connection stands"));
  CHECK(text(failure_of(unsigned_answer), Transport::udp).contains("not signed"));
  CHECK(text(failure_of(malformed), Transport::udp).contains("cannot use it"));
  CHECK(text(failure_of(no_credentials), Transport::udp).contains("--password-file"));
  for (const auto challenge :
       {ChallengeError::incomplete, ChallengeError::bid_down, ChallengeError::no_algorithm}) {
    auto failure = failure_of(bad_challenge);
    failure.challenge = challenge;
    CHECK(a_sentence(text(failure, Transport::udp)));
  }
}

TEST_CASE("an error of the link goes before the failure that it caused") {
  const auto failure = failure_of(Failure::Reason::silent);
  CHECK(explain(Trouble{failure, ECONNREFUSED}, place(Transport::udp)).contains("Nothing listens"));
}

TEST_CASE("durations are told in milliseconds with one digit behind the point") {
  CHECK(milliseconds(12345us) == "12.3 ms");
  CHECK(milliseconds(0us) == "0.0 ms");
}

}  // namespace
}  // namespace yuelao::probe::probe_explain_test
