// Binding (RFC 8489 §6.3.1.1, RFC 3489 §8.1), and what is never answered at all.

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::binding_test {
namespace {

// A message as an RFC 3489 client makes it: 128 bits of transaction id, no cookie.
Octets classic(Method method, const std::function<void(stun::MessageWriter&)>& fill = {}) {
  Octets buffer(512);
  std::array<std::byte, 16> id{};
  id.fill(std::byte{0x5A});
  stun::MessageWriter writer{buffer, method, stun::Class::request,
                             stun::TransactionId::from_header(id)};
  if (fill) fill(writer);
  buffer.resize(writer.finish().size());
  return buffer;
}

Octets of_class(Method method, stun::Class message_class) {
  Octets buffer(512);
  stun::MessageWriter writer{buffer, method, message_class,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  buffer.resize(writer.finish().size());
  return buffer;
}

}  // namespace

TEST_CASE("a Binding request is answered with the address it came from") {
  World world;
  for (const auto* from : {"203.0.112.9:40000", "[2001:470::9]:40000"}) {
    for (const auto transport : {Transport::udp, Transport::tcp, Transport::tls}) {
      Client client{world, from, transport};
      const auto answer = client.unsigned_request(Method::binding);
      REQUIRE(code_of(answer) == 0);
      CHECK(answer->from == client.path.socket);
      CHECK(answer->message().get(attribute::xor_mapped_address) == endpoint(from));
      CHECK_FALSE(answer->message().has(attribute::mapped_address.type));
    }
  }
}

TEST_CASE("a classic client reads MAPPED-ADDRESS, SOURCE-ADDRESS and CHANGED-ADDRESS") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  const auto request = classic(Method::binding);
  const auto sent = client.send(request);
  REQUIRE(sent.size() == 1);
  const auto message = sent[0].message();
  CHECK(
      std::ranges::equal(message.transaction_id().cookie_and_id(), Bytes{request}.subspan(4, 16)));
  CHECK(message.get(attribute::mapped_address) == client.path.tuple.client);
  CHECK(message.get(attribute::source_address) == server_v4);
  CHECK(message.get(attribute::changed_address) == server_v4);
  CHECK_FALSE(message.has(attribute::xor_mapped_address.type));
}

// RFC 3489 knows no IPv6, and whoever forges a source shall get no more out of it.
TEST_CASE("over IPv6 a classic request is answered with MAPPED-ADDRESS alone") {
  World world;
  Client client{world, "[2600::9]:40000"};
  const auto sent = client.send(classic(Method::binding));
  REQUIRE(sent.size() == 1);
  const auto message = sent[0].message();
  CHECK(message.get(attribute::mapped_address) == client.path.tuple.client);
  CHECK_FALSE(message.has(attribute::source_address.type));
  CHECK_FALSE(message.has(attribute::changed_address.type));
  CHECK(sent[0].bytes.size() == 44);
}

TEST_CASE("CHANGE-REQUEST is ignored without a flag and refused with one") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  for (const auto& [flags, code] : {std::pair{0U, 0}, std::pair{2U, 420}, std::pair{4U, 420}}) {
    std::array<std::byte, 4> value{};
    store_u32(value, flags);
    const auto sent = client.send(classic(Method::binding, [&](stun::MessageWriter& writer) {
      writer.add(stun::Attribute<Bytes>{attribute::change_request.type}, Bytes{value});
    }));
    REQUIRE(sent.size() == 1);
    CHECK(code_of(sent[0]) == code);
  }
}

TEST_CASE("RESPONSE-ADDRESS cannot point an answer at somebody else") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  const auto sent = client.send(classic(Method::binding, [](stun::MessageWriter& writer) {
    writer.add(stun::Attribute<Bytes>{{0x0002}}, as_bytes(std::string_view{"\0\1\1\1\1\1\1\1", 8}));
  }));
  REQUIRE(sent.size() == 1);
  CHECK(code_of(sent[0]) == 420);
  CHECK(sent[0].to == client.path.tuple.client);
}

TEST_CASE("TURN has no classic form") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  CHECK(client.send(classic(Method::allocate)).empty());
  CHECK(world.drops(Drop::unknown_method) == 1);
}

TEST_CASE("answers, indications and unknown methods are met with silence") {
  struct Row {
    std::string_view what;
    Method method;
    stun::Class message_class;
    std::optional<Drop> drop;
  };
  constexpr Row rows[] = {
      {"Binding success", Method::binding, stun::Class::success, Drop::not_a_request},
      {"Binding error", Method::binding, stun::Class::error, Drop::not_a_request},
      {"Allocate error", Method::allocate, stun::Class::error, Drop::not_a_request},
      {"Binding indication", Method::binding, stun::Class::indication, std::nullopt},
      {"Data indication", Method::data, stun::Class::indication, Drop::unknown_method},
      {"Allocate indication", Method::allocate, stun::Class::indication, Drop::unknown_method},
      {"Send request", Method::send, stun::Class::request, Drop::unknown_method},
      {"unknown method", Method{0x0FF}, stun::Class::request, Drop::unknown_method},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:40000"};
    CHECK(client.send(of_class(row.method, row.message_class)).empty());
    std::uint64_t dropped = 0;
    for (const auto count : world.engine.counters().drops) dropped += count;
    CHECK(dropped == (row.drop ? 1 : 0));
    if (row.drop) CHECK(world.drops(*row.drop) == 1);
  }
}

// RFC 7350 §3, RFC 8489 §11
TEST_CASE("a request without the magic cookie is an error over DTLS alone") {
  for (const auto method : {Method::binding, Method::allocate}) {
    World world;
    Client secure{world, "203.0.112.9:40000", Transport::dtls};
    auto message =
        secure.compose(method, method == Method::allocate ? requesting_udp() : Client::Fill{});
    CHECK(code_of(secure.send(message).at(0)) == (method == Method::binding ? 0 : 401));
    message[4] = std::byte{0};
    CHECK(code_of(secure.send(message).at(0)) == 500);
  }
  World world;
  Client plain{world, "203.0.112.9:40001"};
  auto message = plain.compose(Method::binding);
  message[4] = std::byte{0};
  CHECK(code_of(plain.send(message).at(0)) == 0);
}

TEST_CASE("what is neither STUN nor ChannelData costs one counter") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  CHECK(client.send({}).empty());
  for (unsigned first = 0; first < 256; ++first) {
    const std::array message{static_cast<std::byte>(first), std::byte{0x01}};
    CHECK(client.send(message).empty());
  }
  CHECK(world.drops(Drop::malformed) == 257);
  CHECK(world.engine.allocation_count() == 0);
}

TEST_CASE("unknown attributes are told to classic clients in pairs") {  // RFC 3489 §11.2.10
  World world;
  Client client{world, "203.0.112.9:40000"};
  for (const bool classic : {false, true}) {
    auto message = client.compose(Method::binding, [](stun::MessageWriter& writer) {
      writer.add(stun::Attribute<Bytes>{{0x7F01}}, Bytes{});
    });
    if (classic) message[4] = std::byte{0};
    const auto answer = client.send(message).at(0);
    CHECK(code_of(answer) == 420);
    const auto unknown = answer.message().get(attribute::unknown_attributes).value();
    CHECK(unknown.count == (classic ? 2 : 1));
    for (const auto type : unknown.list()) CHECK(type.value == 0x7F01);
  }
}

TEST_CASE("a wrong fingerprint is no STUN message") {  // RFC 8489 §6.3
  World world;
  Client client{world, "203.0.112.9:40000"};
  client.fingerprint = true;
  auto message = client.compose(Method::binding);
  message.back() ^= std::byte{1};
  CHECK(client.send(message).empty());
  CHECK(world.drops(Drop::bad_fingerprint) == 1);
}

TEST_CASE("no unauthenticated answer is longer than three times its question") {
  World world;
  Client client{world, "203.0.112.9:40000"};
  for (const auto method : {Method::binding, Method::allocate, Method::refresh}) {
    const auto question = client.compose(method, requesting_udp());
    const auto answer = client.send(question);
    REQUIRE(answer.size() == 1);
    CHECK(answer[0].bytes.size() <= 3 * question.size());
  }
}

}  // namespace yuelao::turn::test::binding_test
