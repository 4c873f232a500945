// What relaying and being known cost: nothing from the heap.

#include <doctest/doctest.h>

#include "tests/support/allocation_counter.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test {

TEST_CASE("the packet path allocates no memory") {
  World world;
  Client client{world, "203.0.112.9:1"};
  client.allocate();
  client.bind(0x4000, "192.0.78.1:7000");
  client.permit("192.0.78.2:1");
  const auto channel_data =
      octets(std::string_view{"\x40\x00\x00\x04"
                              "data",
                              8});
  Octets buffer(256);
  stun::MessageWriter writer{buffer, Method::send, stun::Class::indication,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  writer.add(attribute::xor_peer_address, endpoint("192.0.78.2:1"));
  const auto send = writer.add(attribute::data, as_bytes("data")).finish();
  const auto bound_peer = endpoint("192.0.78.1:7000"), other_peer = endpoint("192.0.78.2:1");
  Outbox out;

  std::size_t sent = 0;
  const auto allocated = yuelao::test::allocations_during([&] {
    for (int i = 0; i < 100; ++i) {
      world.engine.on_client_message(client.path, channel_data, world.now, out);
      world.engine.on_client_message(client.path, send, world.now, out);
      world.engine.on_peer_datagram(client.relay, bound_peer, as_bytes("in"), world.now, out);
      world.engine.on_peer_datagram(client.relay, other_peer, as_bytes("in"), world.now, out);
      sent += out.sends().size();
      out.clear();
    }
  });
  CHECK(allocated == 0);
  CHECK(sent == 400);
}

TEST_CASE("a request on an allocation allocates no memory, however it is signed") {
  using stun::KeyAlgorithm;
  struct Row {
    std::string_view what;
    std::optional<KeyAlgorithm> algorithm;
    bool anonymous;
  };
  constexpr Row rows[] = {{"RFC 5389", std::nullopt, false},
                          {"SHA-256", KeyAlgorithm::sha256, false},
                          {"SHA-256 and USERHASH", KeyAlgorithm::sha256, true}};
  for (const auto& row : rows) {
    CAPTURE(row.what);
    World world;
    Client client{world, "203.0.112.9:1"};
    client.algorithm = row.algorithm;
    client.anonymous = row.anonymous;
    client.allocate();
    const auto refresh = client.compose(Method::refresh);
    client.send(refresh);  // the digests are looked up once
    Outbox out;
    const auto allocated = yuelao::test::allocations_during([&] {
      for (int i = 0; i < 10; ++i) {
        world.engine.on_client_message(client.path, refresh, world.now, out);
        out.clear();
      }
    });
    CHECK(allocated == 0);
  }
}

}  // namespace yuelao::turn::test
