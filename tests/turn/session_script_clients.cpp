// Chapters of the recorded session: RFC 8489, RFC 5780, and who may have an allocation.

#include <doctest/doctest.h>

#include "protocol/stun/credentials.hpp"
#include "tests/turn/session_script.hpp"

namespace yuelao::turn::test {
namespace {

constexpr stun::AttributeType unknown_required{0x7F01};
constexpr std::array all_transports{Transport::udp, Transport::tcp, Transport::tls,
                                    Transport::dtls};

Octets of_class(Method method, stun::Class message_class, const Client::Fill& fill = {}) {
  Octets buffer(512);
  stun::MessageWriter writer{buffer, method, message_class,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  if (fill) fill(writer);
  buffer.resize(writer.finish().size());
  return buffer;
}

// As an RFC 3489 client has it: without the magic cookie.
Octets classic(Octets message) {
  message[4] = std::byte{0};
  return message;
}

void bind(World& world) {
  for (const auto* from : {"203.0.112.9:40000", "[2001:470::9]:40000"}) {
    for (const auto transport : all_transports) {
      Client client{world, from, transport};
      client.fingerprint = transport == Transport::dtls;
      expect(0, client.unsigned_request(Method::binding));
    }
  }
  Client client{world, "203.0.112.9:40001"};
  CHECK(client.send(classic(client.compose(Method::binding))).size() == 1);
  Client secure{world, "203.0.112.9:40001", Transport::dtls};
  expect(500, secure.send(classic(secure.compose(Method::binding))).at(0));
  expect(420, client.unsigned_request(Method::binding, with_raw(unknown_required, "what")));
}

void say_what_has_no_answer(World& world) {
  Client client{world, "203.0.112.9:40001"};
  client.fingerprint = true;
  auto forged = client.compose(Method::binding);
  forged.back() ^= std::byte{1};
  const Octets messages[] = {
      of_class(Method::binding, stun::Class::indication),
      of_class(Method::binding, stun::Class::success),
      of_class(Method{0x0FF}, stun::Class::request),
      of_class(Method::send, stun::Class::indication, with_raw(unknown_required, "what")),
      of_class(Method::send, stun::Class::indication),
      forged,
      octets("neither STUN nor ChannelData"),
      octets("@"),
      {},
  };
  for (const auto& message : messages) CHECK(client.send(message).empty());
}

Client::Fill padded(std::size_t size) {
  return [size](stun::MessageWriter& writer) { writer.add_zeros(attribute::padding.type, size); };
}

Client::Fill changing(stun::ChangeRequest change) {
  return [change](stun::MessageWriter& writer) { writer.add(attribute::change_request, change); };
}

Client::Fill to_port(std::uint16_t port) {
  return [port](stun::MessageWriter& writer) { writer.add(attribute::response_port, port); };
}

void discover(World& world) {
  Client client{world, "203.0.112.9:40002"};
  const auto ask = [&client](int code, const Client::Fill& fill) {
    expect(code, client.unsigned_request(Method::binding, fill));
  };
  for (const bool ip : {false, true}) {
    for (const bool port : {false, true}) {
      ask(0, changing({.change_ip = ip, .change_port = port}));
    }
  }
  ask(0, to_port(40003));
  ask(400, to_port(22));
  ask(0, padded(300));
  ask(-1, padded(4));
  Client stream{world, "203.0.112.9:40002", Transport::tcp};
  expect(0, stream.unsigned_request(Method::binding));
  expect(420, stream.unsigned_request(Method::binding, changing({true, true})));
}

void allocate_as(Client client) {
  expect(0, client.request(Method::allocate, requesting_udp()));
  expect(0, client.request(Method::refresh));
  end_allocation(client);
}

}  // namespace

void bind_and_discover(Session& session) {
  session.record.remark("Binding, of RFC 8489 and of RFC 3489, and what is not answered");
  bind(session[0]);
  say_what_has_no_answer(session[0]);
  session.record.remark("NAT behaviour discovery (RFC 5780)");
  discover(session[0]);
}

void authenticate(Session& session) {
  session.record.remark("Credentials: 401, MD5, SHA-256, USERHASH, TURN REST, 400, 438");
  auto& world = session[0];
  Client client{world, "203.0.112.1:1"};
  expect(401, client.unsigned_request(Method::allocate, requesting_udp()));
  client.password = "wrong";
  expect(401, client.request(Method::allocate, requesting_udp()));
  client.password = "wonderland";
  allocate_as(client);
  client.algorithm = stun::KeyAlgorithm::md5;
  allocate_as(client);
  client.algorithm = stun::KeyAlgorithm::sha256;
  allocate_as(client);
  client.anonymous = true;
  allocate_as(client);

  Client rest{world, "203.0.112.1:2"};
  rest.user = std::to_string((world.now.wall + 1h).time_since_epoch().count()) + ":user";
  rest.password = stun::rest_password("new-secret", rest.user);
  allocate_as(rest);

  client.algorithm = static_cast<stun::KeyAlgorithm>(7);
  expect(400, client.request(Method::allocate, requesting_udp()));
  client.algorithm.reset();
  session.pass(601s);
  expect(438, client.request(Method::allocate, requesting_udp()));
}

}  // namespace yuelao::turn::test
