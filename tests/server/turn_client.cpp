#include "tests/server/turn_client.hpp"

#include <doctest/doctest.h>

#include <array>

#include "protocol/stun/attributes.hpp"
#include "server/random.hpp"

namespace yuelao::test {
namespace {

namespace attribute = stun::attribute;
using stun::Class;
using stun::Method;

constexpr int unauthenticated = 401;
constexpr int stale_nonce = 438;

stun::TransactionId fresh_id() {
  std::array<std::byte, 12> random{};
  server::SystemRandom{}.fill(random);
  return stun::TransactionId::from_random(random);
}

std::optional<Endpoint> relayed_in(const std::optional<Octets>& answer) {
  if (!answer) return std::nullopt;
  const auto relayed = stun::Message::parse(*answer)->get(attribute::xor_relayed_address);
  return relayed ? std::optional{*relayed} : std::nullopt;
}

}  // namespace

std::optional<Endpoint> TurnClient::binding() {
  std::array<std::byte, 64> room{};
  const auto id = fresh_id();
  stun::MessageWriter writer{room, Method::binding, Class::request, id};
  wire_.send(writer.finish());
  const auto answer = answer_to(id);
  if (!answer) return std::nullopt;
  const auto address = stun::Message::parse(*answer)->get(attribute::xor_mapped_address);
  return address ? std::optional{*address} : std::nullopt;
}

std::optional<Endpoint> TurnClient::allocate(std::uint8_t protocol) {
  return relayed_in(request(Method::allocate, [&](stun::MessageWriter& writer) {
    writer.add(attribute::requested_transport, protocol);
  }));
}

std::optional<turn::ConnectionId> TurnClient::connect(const Endpoint& peer) {
  const auto answer = request(Method::connect, [&](stun::MessageWriter& writer) {
    writer.add(attribute::xor_peer_address, peer);
  });
  if (!answer) return std::nullopt;
  const auto id = stun::Message::parse(*answer)->get(attribute::connection_id);
  return id ? std::optional{*id} : std::nullopt;
}

bool TurnClient::bind_connection(turn::ConnectionId id, Bytes behind) {
  behind_ = behind;
  const auto answer = request(Method::connection_bind, [&](stun::MessageWriter& writer) {
    writer.add(attribute::connection_id, id);
  });
  behind_ = {};
  return answer.has_value();
}

std::optional<Endpoint> TurnClient::allocate_mobile() {
  const auto answer = request(Method::allocate, [](stun::MessageWriter& writer) {
    writer.add(attribute::requested_transport, udp_protocol)
        .add(attribute::mobility_ticket, Bytes{});
  });
  keep_ticket(answer);
  return relayed_in(answer);
}

bool TurnClient::move_with(Bytes ticket) {
  const auto answer = request(Method::refresh, [&](stun::MessageWriter& writer) {
    writer.add(attribute::mobility_ticket, ticket);
  });
  keep_ticket(answer);
  return answer.has_value();
}

void TurnClient::keep_ticket(const std::optional<Octets>& answer) {
  if (!answer) return;
  const auto ticket = stun::Message::parse(*answer)->value_of(attribute::mobility_ticket.type);
  if (ticket) ticket_ = to_octets(*ticket);
}

bool TurnClient::refresh(std::chrono::seconds lifetime) {
  return request(Method::refresh,
                 [&](stun::MessageWriter& writer) { writer.add(attribute::lifetime, lifetime); })
      .has_value();
}

bool TurnClient::permit(const Endpoint& peer) {
  return request(
             Method::create_permission,
             [&](stun::MessageWriter& writer) { writer.add(attribute::xor_peer_address, peer); })
      .has_value();
}

bool TurnClient::bind_channel(std::uint16_t number, const Endpoint& peer) {
  return request(Method::channel_bind,
                 [&](stun::MessageWriter& writer) {
                   writer.add(attribute::channel_number, stun::ChannelNumber::from(number).value());
                   writer.add(attribute::xor_peer_address, peer);
                 })
      .has_value();
}

void TurnClient::send(std::uint16_t channel, std::string_view text) {
  Octets message(4);
  store_u16(message, channel);
  store_u16(MutableBytes{message}.subspan(2), static_cast<std::uint16_t>(text.size()));
  const auto payload = as_bytes(text);
  message.insert(message.end(), payload.begin(), payload.end());
  wire_.send(message);
}

std::optional<std::string> TurnClient::receive(std::uint16_t channel) {
  while (const auto message = wire_.receive()) {
    if (message->size() < 4 || load_u16(*message) != channel) continue;
    const auto size = load_u16(Bytes{*message}.subspan(2));
    return std::string{as_text(Bytes{*message}.subspan(4, size))};
  }
  return std::nullopt;
}

std::optional<Octets> TurnClient::request(Method method, const Compose& compose) {
  auto answer = ask(method, compose);
  for (int attempt = 0; attempt < 2 && answer; ++attempt) {
    const auto message = *stun::Message::parse(*answer);
    if (message.message_class() == Class::success) return answer;
    if (!take_challenge(message)) return std::nullopt;
    answer = ask(method, compose);
  }
  return std::nullopt;
}

std::optional<Octets> TurnClient::ask(Method method, const Compose& compose) {
  std::array<std::byte, 1024> room{};
  const auto id = fresh_id();
  stun::MessageWriter writer{room, method, Class::request, id};
  compose(writer);
  if (!nonce_.empty()) {
    writer.add(attribute::username, user_);
    writer.add(attribute::realm, realm_);
    writer.add(attribute::nonce, nonce_);
    writer.add_integrity(stun::long_term_key(user_, realm_, password_));
  }
  auto message = to_octets(writer.finish());
  if (!nonce_.empty()) message.insert(message.end(), behind_.begin(), behind_.end());
  wire_.send(message);
  return answer_to(id);
}

std::optional<Octets> TurnClient::answer_to(const stun::TransactionId& id) {
  while (auto received = wire_.receive()) {
    const auto message = stun::Message::parse(*received);
    if (message && message->transaction_id() == id) return received;
  }
  return std::nullopt;
}

bool TurnClient::take_challenge(const stun::Message& answer) {
  const auto code = answer.get(attribute::error_code);
  error_ = code ? code->code : 0;
  if (error_ != unauthenticated && error_ != stale_nonce) return false;
  const auto realm = answer.get(attribute::realm);
  const auto nonce = answer.get(attribute::nonce);
  if (!realm || !nonce) return false;
  realm_ = *realm;
  nonce_ = *nonce;
  return true;
}

void check_relayed_call(Wire& first_wire, Wire& second_wire) {
  TurnClient first{first_wire, "alice", "wonderland"};
  TurnClient second{second_wire, "alice", "wonderland"};
  const auto first_relayed = first.allocate();
  const auto second_relayed = second.allocate();
  REQUIRE(first_relayed.has_value());
  REQUIRE(second_relayed.has_value());
  REQUIRE(first.bind_channel(0x4001, *second_relayed));
  REQUIRE(second.bind_channel(0x4002, *first_relayed));
  first.send(0x4001, "hello");
  CHECK(second.receive(0x4002) == "hello");
  second.send(0x4002, "hello yourself");
  CHECK(first.receive(0x4001) == "hello yourself");
}

}  // namespace yuelao::test
