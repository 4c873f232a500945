#include "server/stun_query.hpp"

#include <doctest/doctest.h>

#include <array>
#include <thread>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/server/shard_group.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::stun_query_test {
namespace {

using test::loopback;
using test::UdpWire;

const Endpoint mapped = Endpoint::parse("203.0.113.5:4711").value();

const Endpoint other_address = Endpoint::parse("203.0.113.6:4711").value();

test::Octets answer(const stun::TransactionId& id, const Endpoint& address) {
  std::array<std::byte, 128> buffer{};
  stun::MessageWriter writer{buffer, stun::Method::binding, stun::Class::success, id};
  const auto message = writer.add(stun::attribute::xor_mapped_address, address).finish();
  return {message.begin(), message.end()};
}

}  // namespace

TEST_CASE("the answer to the request is taken, and nothing else that looks like it") {
  UdpWire server{Endpoint{loopback, 0}};
  UdpWire stranger{Endpoint{loopback, 0}};
  std::thread serving{[&] {
    const auto first = server.receive();
    // The first transmission is lost; the second is the same request.
    const auto second = server.receive();
    CHECK(second == first);
    const auto request = stun::Message::parse(second.value_or(test::Octets{}));
    if (!request) return;
    const auto client = server.source();
    const std::array<std::byte, 12> other{};
    server.send_to(client, answer(stun::TransactionId::from_random(other), other_address));
    stranger.send_to(client, answer(request->transaction_id(), other_address));
    server.send_to(client, answer(request->transaction_id(), mapped));
  }};
  CHECK(ask_stun(server.local(), loopback) == mapped.address);
  serving.join();
}

TEST_CASE("a server of another family, or one that is not there, is no answer") {
  CHECK_FALSE(ask_stun(Endpoint::parse("[::1]:9").value(), loopback));
}

}  // namespace yuelao::server::stun_query_test
