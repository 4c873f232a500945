// The client and the engine talk to each other in memory, with time moved by hand.

#include <doctest/doctest.h>

#include "protocol/client/turn_client.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::client::engine_test {
namespace {

using namespace std::chrono_literals;
using turn::test::endpoint;
using turn::test::World;
using Reason = Failure::Reason;

struct Pair {
  explicit Pair(std::string password = "wonderland",
                const turn::Options& options = turn::test::default_options(),
                Transport transport = Transport::udp)
      : world{options},
        client{
            carrier_of(transport), Credentials{"alice", Secret{std::move(password)}}, {}, random} {
    path.tuple = {transport, endpoint("203.0.113.9:4000"), turn::test::server_v4};
    const bool stream = transport != Transport::udp;
    path.socket = stream ? turn::SocketRef::stream(0, 0) : turn::SocketRef::listener(0);
  }

  // Until the request has ended. The first `lost` transmissions do not arrive.
  Outcome ask(const Request& request, unsigned lost = 0) {
    client.start(request, world.now.steady);
    for (int round = 0; round < 50; ++round) {
      const auto sent = client.take_transmission();
      if (sent.empty()) {
        world.now.steady = *client.deadline();
        if (auto outcome = client.advance(world.now.steady)) return *std::move(outcome);
        continue;
      }
      if (lost > 0) {
        --lost;
        continue;
      }
      for (const auto& answer : world.from_client(path, sent)) {
        auto event = client.on_message(answer.bytes, world.now.steady);
        if (auto* outcome = std::get_if<Outcome>(&event)) return *outcome;
      }
    }
    FAIL("the request never ended");
    return {};
  }

  static Carrier carrier_of(Transport transport) {
    return transport == Transport::udp ? Carrier::datagrams : Carrier::stream;
  }

  World world;
  turn::test::CountingRandom random;
  turn::ClientPath path;
  TurnClient client;
};

TEST_CASE("a binding says where the client is seen") {  // RFC 8489 §12
  Pair pair;
  const auto outcome = pair.ask(Binding{});
  REQUIRE(outcome.result);
  CHECK(outcome.result->mapped == endpoint("203.0.113.9:4000"));
}

TEST_CASE("the client answers the challenge and gets a relay") {  // RFC 8489 §9.2.5
  Pair pair;
  const auto outcome = pair.ask(Allocate{});
  REQUIRE(outcome.result);
  CHECK(outcome.result->relayed == endpoint("198.51.100.1:50000"));
  CHECK(outcome.result->lifetime == 600s);
  CHECK(pair.client.realm() == "yuelao");
}

TEST_CASE("the client authenticates with SHA-256 and knows what was offered") {  // RFC 8489 §9.2.5
  Pair pair;
  CHECK_FALSE(pair.client.offer().has_value());
  REQUIRE(pair.ask(Allocate{}).result);
  const auto offer = pair.client.offer().value();
  CHECK(offer.algorithms == std::vector<std::uint16_t>{2, 1});
  CHECK(offer.chosen == stun::KeyAlgorithm::sha256);
  CHECK_FALSE(offer.user_anonymity);
  CHECK(pair.ask(Refresh{600s}).result);
}

TEST_CASE("what a client wishes of its relay is granted, or refused by name") {  // RFC 8656 §7.1
  auto options = turn::test::default_options();
  const auto granted = [&](const Allocate& allocate, Transport transport = Transport::udp) {
    Pair pair{"wonderland", options, transport};
    return pair.ask(allocate).result;
  };
  CHECK(granted({.family = Family::ipv6})->relayed->address.family() == Family::ipv6);
  CHECK(granted({.dont_fragment = true}));
  const auto dual = granted({.both_families = true});
  CHECK(dual->relayed->address.family() == Family::ipv4);
  CHECK(dual->second_relayed.value().address.family() == Family::ipv6);
  const auto even = granted({.even_port = stun::EvenPort{.reserve_next = true}});
  CHECK(even->relayed->port % 2 == 0);
  CHECK(even->reserved);
  CHECK_FALSE(dual->reserved);
  CHECK_FALSE(dual->second_refused.has_value());

  CHECK(granted({.wants_ticket = true}).error().code == 405);
  CHECK(granted({.for_tcp = true}, Transport::tcp).error().code == 442);
  options.mobility = true;
  options.tcp_relays = true;
  CHECK(granted({.wants_ticket = true})->mobile);
  CHECK(granted({.for_tcp = true}, Transport::tcp)->relayed);
  options.relay_addresses.pop_back();
  const auto single = granted({.both_families = true});
  CHECK_FALSE(single->second_relayed.has_value());
  CHECK(single->second_refused == 440);
}

TEST_CASE("the client hides its user's name where the server can find it") {  // RFC 8489 §9.2.5
  auto options = turn::test::default_options();
  options.credentials.rest_secrets.clear();
  Pair pair{"wonderland", options};
  REQUIRE(pair.ask(Allocate{}).result);
  CHECK(pair.client.offer()->user_anonymity);
  CHECK(pair.ask(Refresh{600s}).result);
  CHECK(pair.world.notices.at(0).user == "alice");
}

constexpr stun::Attribute<Bytes> password_algorithms{stun::attribute::password_algorithms.type};

// A challenge with this nonce and this PASSWORD-ALGORITHMS, if any, to be answered by alice.
std::expected<Challenge, ChallengeError> challenge(std::string_view nonce,
                                                   std::optional<std::string_view> algorithms) {
  std::array<std::byte, 256> buffer{};
  stun::MessageWriter writer{buffer, stun::Method::allocate, stun::Class::error, {}};
  writer.add(stun::attribute::realm, std::string_view{"realm"}).add(stun::attribute::nonce, nonce);
  if (algorithms) writer.add(password_algorithms, as_bytes(*algorithms));
  const auto message = stun::Message::parse(writer.finish()).value();
  return Challenge::from(message, {"alice", Secret{"wonderland"}});
}

TEST_CASE("whoever takes the password algorithms away gets no answer") {  // RFC 8489 §9.2.5
  CHECK(challenge("obMatJos2gAAAx", std::nullopt).error() == ChallengeError::bid_down);
  CHECK(challenge("obMatJos2gAAAx", "").error() == ChallengeError::no_algorithm);
  CHECK(challenge("x", std::nullopt)->offer().algorithms.empty());
}

TEST_CASE("an answer without the password algorithms that its nonce promises is ignored") {
  Pair pair;  // RFC 8489 §9.2.5
  pair.client.start(Binding{}, pair.world.now.steady);
  const auto request = stun::Message::parse(pair.client.take_transmission()).value();
  for (const bool whole : {false, true}) {
    std::array<std::byte, 256> buffer{};
    stun::MessageWriter writer{buffer, stun::Method::binding, stun::Class::success,
                               request.transaction_id()};
    writer.add(stun::attribute::xor_mapped_address, endpoint("203.0.113.9:4000"))
        .add(stun::attribute::nonce, "obMatJos2gAAAx");
    if (whole) writer.add(password_algorithms, as_bytes({"\0\1\0\0", 4}));
    const auto event = pair.client.on_message(writer.finish(), pair.world.now.steady);
    CHECK(std::holds_alternative<Outcome>(event) == whole);
  }
}

TEST_CASE("of the password algorithms SHA-256 is taken, then MD5") {  // RFC 8656 §6
  using stun::KeyAlgorithm;
  const auto chosen = [](std::string_view list) { return challenge("n", list)->offer().chosen; };
  CHECK(chosen({"\0\2\0\0\0\1\0\0", 8}) == KeyAlgorithm::sha256);
  CHECK(chosen({"\0\1\0\0\0\2\0\0", 8}) == KeyAlgorithm::sha256);
  CHECK(chosen({"\0\7\0\0\0\1\0\0", 8}) == KeyAlgorithm::md5);
  CHECK(chosen({"\0\7\0\1x\0\0\0\0\2\0\0", 12}) == KeyAlgorithm::sha256);
  const auto unknown = challenge("n", std::string_view{"\0\7\0\0", 4});
  CHECK(unknown.error() == ChallengeError::no_algorithm);
}

TEST_CASE("a wrong password is refused once and not tried again") {
  Pair pair{"looking-glass"};
  const auto outcome = pair.ask(Allocate{});
  REQUIRE_FALSE(outcome.result);
  CHECK(outcome.result.error().reason == Reason::refused);
  CHECK(outcome.result.error().code == 401);
  CHECK(pair.world.errors(stun::ErrorCode::unauthenticated) == 2);
}

TEST_CASE("a stale nonce costs one round more") {
  Pair pair;
  REQUIRE(pair.ask(Allocate{}).result);
  REQUIRE(pair.ask(Refresh{3600s}).result);
  pair.world.pass_silently(11min);
  CHECK(pair.ask(Refresh{600s}).result);
  CHECK(pair.world.errors(stun::ErrorCode::stale_nonce) == 1);
}

TEST_CASE("what is lost is sent again, and the transmissions are counted") {  // RFC 8489 §6.2.1
  Pair pair;
  const auto began = pair.world.now.steady;
  const auto outcome = pair.ask(Binding{}, 3);
  REQUIRE(outcome.result);
  CHECK(outcome.transmissions == 4);
  CHECK(pair.world.now.steady - began == 3500ms);  // 500 + 1000 + 2000
}

TEST_CASE("silence ends after 39.5 seconds") {  // RFC 8489 §6.2.1
  Pair pair;
  const auto began = pair.world.now.steady;
  const auto outcome = pair.ask(Binding{}, 7);
  REQUIRE_FALSE(outcome.result);
  CHECK(outcome.result.error().reason == Reason::silent);
  CHECK(pair.world.now.steady - began == 39500ms);
}

TEST_CASE("a private peer is refused and data from a permitted one arrives") {  // RFC 8656 §10, §11
  Pair pair;
  REQUIRE(pair.ask(Allocate{}).result);
  const auto refused = pair.ask(CreatePermission{endpoint("10.0.0.1:9")});
  REQUIRE_FALSE(refused.result);
  CHECK(refused.result.error().code == 403);

  const auto peer = endpoint("192.0.78.1:700");
  REQUIRE(pair.ask(CreatePermission{peer}).result);
  const auto sent = pair.world.from_peer(pair.world.opened.back(), peer, "hello");
  REQUIRE(sent.size() == 1);
  const auto event = pair.client.on_message(sent[0].bytes, pair.world.now.steady);
  const auto* data = std::get_if<RelayedData>(&event);
  REQUIRE(data);
  CHECK(data->peer == peer);
  CHECK(as_text(data->payload) == "hello");
}

TEST_CASE("an answer signed with another key is as if it never came") {  // RFC 8489 §9.2.5
  Pair pair;
  REQUIRE(pair.ask(Allocate{}).result);
  pair.client.start(Refresh{600s}, pair.world.now.steady);
  const auto answer = pair.world.from_client(pair.path, pair.client.take_transmission());
  REQUIRE(answer.size() == 1);
  auto forged = answer[0].bytes;
  forged[forged.size() - 10] ^= std::byte{1};  // inside the last attribute or its integrity
  const auto event = pair.client.on_message(forged, pair.world.now.steady);
  CHECK(std::holds_alternative<std::monostate>(event));
  CHECK(pair.client.waiting());
}

}  // namespace
}  // namespace yuelao::client::engine_test
