// What a client makes of answers that no engine of ours would give.

#include "protocol/client/turn_client.hpp"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <set>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::client::turn_client_test {
namespace {

using namespace std::chrono_literals;
namespace attribute = stun::attribute;
using Reason = Failure::Reason;
using stun::Class;
using stun::Message;
using stun::MessageWriter;
using stun::Method;
using turn::test::endpoint;
using turn::test::Octets;

using Fill = std::function<void(MessageWriter&)>;

const auto mapped = [](MessageWriter& writer) {
  writer.add(attribute::xor_mapped_address, endpoint("203.0.113.9:4000"));
};

Fill required(std::uint16_t type, const Fill& others) {
  return [=](MessageWriter& writer) {
    others(writer);
    writer.add(stun::Attribute<Bytes>{{type}}, as_bytes("what"));
  };
}

Fill error(std::uint16_t code) {
  return [=](MessageWriter& writer) { writer.add(attribute::error_code, {code, ""}); };
}

const auto challenging = [](MessageWriter& writer) {
  error(401)(writer);
  writer.add(attribute::realm, "example.org").add(attribute::nonce, "n");
};

// A client with one request under way, and its scripted server.
struct Asked {
  explicit Asked(const Request& request, Carrier carrier = Carrier::datagrams)
      : client{carrier, Credentials{"alice", Secret{"wonderland"}}, {}, random} {
    client.start(request, now);
    sent = taken();
  }

  Octets taken() {
    const auto octets = client.take_transmission();
    return {octets.begin(), octets.end()};
  }
  Message request() const { return *Message::parse(sent); }

  // The answer to the request as it was sent last.
  Event answer(Class message_class, const Fill& fill) {
    std::array<std::byte, 1024> buffer{};
    MessageWriter writer{buffer, request().method(), message_class, request().transaction_id()};
    fill(writer);
    const auto event = client.on_message(writer.finish(), now);
    if (auto again = taken(); !again.empty()) sent = std::move(again);
    return event;
  }

  turn::test::CountingRandom random;
  TurnClient client;
  SteadyTime now{1000s};
  Octets sent;
};

// Why the request failed; none: it goes on.
std::optional<Reason> failed(const Event& event) {
  const auto* outcome = std::get_if<Outcome>(&event);
  if (outcome == nullptr) return std::nullopt;
  REQUIRE_FALSE(outcome->result);
  return outcome->result.error().reason;
}

TEST_CASE("the first request is without credentials, and for UDP") {  // RFC 8489 §9.2.3.1
  const Asked asked{Allocate{}};
  const auto request = asked.request();
  CHECK(request.message_class() == Class::request);
  CHECK_FALSE(request.transaction_id().classic());
  CHECK(request.get(attribute::requested_transport) == 17);  // RFC 8656 §7.1
  for (const auto type :
       {attribute::username.type, attribute::userhash.type, attribute::message_integrity.type,
        attribute::realm.type, attribute::nonce.type, attribute::password_algorithm.type,
        attribute::password_algorithms.type, attribute::even_port.type,
        attribute::reservation_token.type}) {
    CHECK_FALSE(request.has(type));
  }
}

TEST_CASE("each transaction has an id of its own, each retransmission its request's") {
  std::set<stun::TransactionId> ids;
  Asked asked{Allocate{}};
  ids.insert(asked.request().transaction_id());
  asked.answer(Class::error, challenging);
  ids.insert(asked.request().transaction_id());
  CHECK(ids.size() == 2);

  const auto first = asked.sent;
  asked.client.advance(asked.now + 500ms);
  CHECK(asked.taken() == first);
}

TEST_CASE("a requested family is in the request once") {  // RFC 8656 §7.1
  const Asked asked{Allocate{Family::ipv6}};
  int times = 0;
  const auto request = asked.request();
  request.for_each([&](stun::AttributeType type, Bytes) {
    if (type == attribute::requested_address_family.type) ++times;
  });
  CHECK(times == 1);
  CHECK(request.get(attribute::requested_address_family) == Family::ipv6);
}

TEST_CASE("a Binding asks for an answer from elsewhere, and reads what it says") {  // RFC 5780 §7
  CHECK_FALSE(Asked{Binding{}}.request().has(attribute::change_request.type));
  Asked asked{Binding{{.change_ip = true, .change_port = false}}};
  CHECK(asked.request().get(attribute::change_request) == stun::ChangeRequest{true, false});
  const auto event = asked.answer(Class::success, [](MessageWriter& writer) {
    mapped(writer);
    writer.add(attribute::mapped_address, endpoint("203.0.113.9:4001"))
        .add(attribute::response_origin, endpoint("198.51.100.2:3478"))
        .add(attribute::other_address, endpoint("198.51.100.2:3479"))
        .add(attribute::alternate_server, endpoint("203.0.113.6:3478"));
  });
  const auto& granted = std::get<Outcome>(event).result.value();
  CHECK(granted.mapped == endpoint("203.0.113.9:4000"));
  CHECK(granted.plain == endpoint("203.0.113.9:4001"));
  CHECK(granted.other == endpoint("198.51.100.2:3479"));
}

TEST_CASE("an answer with an unknown required attribute ends in failure") {  // RFC 8489 §6.3.3
  CHECK(failed(Asked{Binding{}}.answer(Class::success, required(0x7F01, mapped))) ==
        Reason::malformed);
  // §6.3.4: of an error too, instead of another try.
  CHECK(failed(Asked{Allocate{}}.answer(Class::error, required(0x7F01, challenging))) ==
        Reason::malformed);
  const auto optional = Asked{Binding{}}.answer(Class::success, required(0xFF01, mapped));
  REQUIRE(std::holds_alternative<Outcome>(optional));
  CHECK(std::get<Outcome>(optional).result);
}

TEST_CASE("an RFC 3489 server's answer is understood") {  // RFC 5389 §12.1
  const auto event = Asked{Binding{}}.answer(Class::success, [](MessageWriter& writer) {
    const auto server = endpoint("198.51.100.1:3478");
    writer.add(attribute::mapped_address, endpoint("203.0.113.9:4000"))
        .add(attribute::source_address, server)
        .add(attribute::changed_address, server)
        .add(attribute::reflected_from, server)
        .add(attribute::response_address, server);
  });
  REQUIRE(std::holds_alternative<Outcome>(event));
  CHECK(std::get<Outcome>(event).result->mapped == endpoint("203.0.113.9:4000"));
}

TEST_CASE("a success without its address, and an error without a code, are failures") {
  const auto nothing = [](MessageWriter&) {};
  CHECK(failed(Asked{Binding{}}.answer(Class::success, nothing)) == Reason::malformed);
  CHECK(failed(Asked{Binding{}}.answer(Class::error, nothing)) == Reason::malformed);
}

TEST_CASE("an error ends the request, whatever its hundred") {  // RFC 8489 §6.3.4
  constexpr std::array<std::uint16_t, 8> codes{300, 400, 420, 440, 486, 500, 508, 699};
  for (const auto code : codes) {
    CAPTURE(code);
    const auto event = Asked{Binding{}}.answer(Class::error, error(code));
    CHECK(failed(event) == Reason::refused);
    CHECK(std::get<Outcome>(event).result.error().code == code);
  }
}

TEST_CASE("a 300 says where else to ask, and nobody is asked there") {  // RFC 8489 §10
  const auto event = Asked{Binding{}}.answer(Class::error, [](MessageWriter& writer) {
    error(300)(writer);
    writer.add(attribute::alternate_server, endpoint("198.51.100.2:3478"));
  });
  CHECK(failed(event) == Reason::refused);
  CHECK(std::get<Outcome>(event).result.error().alternate == endpoint("198.51.100.2:3478"));
}

TEST_CASE("what answers another transaction, method or kind of message is no answer") {
  Asked asked{Binding{}};
  std::array<std::byte, 256> buffer{};
  const auto other = stun::TransactionId::from_random(std::array<std::byte, 12>{});
  for (const auto& [method, message_class, id] :
       {std::tuple{Method::binding, Class::success, other},
        std::tuple{Method::allocate, Class::success, asked.request().transaction_id()},
        std::tuple{Method::binding, Class::request, asked.request().transaction_id()},
        std::tuple{Method::binding, Class::indication, asked.request().transaction_id()}}) {
    MessageWriter writer{buffer, method, message_class, id};
    mapped(writer);
    const auto event = asked.client.on_message(writer.finish(), asked.now);
    CHECK(std::holds_alternative<std::monostate>(event));
  }
  CHECK(asked.client.waiting());
}

TEST_CASE("a bid-down attack ends the request") {  // RFC 8489 §9.2.1, §9.2.5
  const auto event = Asked{Allocate{}}.answer(Class::error, [](MessageWriter& writer) {
    error(401)(writer);
    writer.add(attribute::realm, "example.org").add(attribute::nonce, "obMatJos2gAAAnonce");
  });
  CHECK(failed(event) == Reason::bad_challenge);
  CHECK(std::get<Outcome>(event).result.error().challenge == ChallengeError::bid_down);
}

TEST_CASE("answers that nobody signed are discarded: on a stream at once, else at the end") {
  const auto unsigned_answers = {std::pair{Class::success, Fill{mapped}},
                                 std::pair{Class::error, error(400)},
                                 std::pair{Class::error, error(403)}};
  for (const auto& [message_class, fill] : unsigned_answers) {  // RFC 8489 §9.2.5
    Asked datagrams{Allocate{}};
    datagrams.answer(Class::error, challenging);
    REQUIRE(datagrams.request().has(attribute::message_integrity.type));
    CHECK_FALSE(failed(datagrams.answer(message_class, fill)));
    std::optional<Outcome> outcome;
    while (!outcome) {
      datagrams.now = *datagrams.client.deadline();
      outcome = datagrams.client.advance(datagrams.now);
    }
    REQUIRE_FALSE(outcome->result);
    CHECK(outcome->result.error().reason == Reason::unsigned_answer);

    Asked stream{Allocate{}, Carrier::stream};
    stream.answer(Class::error, challenging);
    CHECK(failed(stream.answer(message_class, fill)) == Reason::unsigned_answer);
  }
}

TEST_CASE("data of a peer may come before the answer") {  // RFC 8656 §12
  Asked asked{ChannelBind{*stun::ChannelNumber::from(0x4000), endpoint("192.0.78.1:7")}};
  const auto event =
      asked.client.on_message(as_bytes(std::string_view{"\x40\0\0\2hi", 6}), asked.now);
  REQUIRE(std::holds_alternative<RelayedData>(event));
  CHECK(as_text(std::get<RelayedData>(event).payload) == "hi");
  CHECK(asked.client.waiting());
}

TEST_CASE("a Data indication without its peer or its data is none") {  // RFC 8656 §11.4
  const auto readable = [](const Fill& fill) {
    std::array<std::byte, 256> buffer{};
    MessageWriter writer{buffer, Method::data, Class::indication, {}};
    fill(writer);
    return read_relayed(writer.finish()).has_value();
  };
  const Fill peer = [](MessageWriter& writer) {
    writer.add(attribute::xor_peer_address, endpoint("192.0.78.1:7"));
  };
  const Fill data = [](MessageWriter& writer) { writer.add(attribute::data, as_bytes("hi")); };
  const Fill icmp = [](MessageWriter& writer) { writer.add(attribute::icmp, {3, 1, 0}); };
  CHECK_FALSE(readable(peer));
  CHECK_FALSE(readable(data));
  CHECK_FALSE(readable(icmp));  // §11.6
  CHECK(readable([&](MessageWriter& writer) {
    peer(writer);
    data(writer);
  }));
}

TEST_CASE("on a stream a request is sent once, and waited for as long") {  // RFC 8489 §6.2.2
  Asked asked{Binding{}, Carrier::stream};
  CHECK(asked.client.deadline() == asked.now + 39500ms);
  CHECK_FALSE(asked.client.advance(asked.now + 39499ms));
  CHECK(asked.taken().empty());
  const auto outcome = asked.client.advance(asked.now + 39500ms);
  REQUIRE(outcome);
  CHECK(outcome->result.error().reason == Reason::silent);
}

}  // namespace
}  // namespace yuelao::client::turn_client_test
