#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "protocol/endpoint.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/socket_ref.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::test {

// Just enough of a TURN client to keep a call going over any wire. Answers are taken
// in order; anything else that comes meanwhile is passed over.
class TurnClient {
 public:
  TurnClient(Wire& wire, std::string user, std::string password)
      : wire_{wire}, user_{std::move(user)}, password_{std::move(password)} {}

  // The client's address as the server sees it; empty without an answer.
  std::optional<Endpoint> binding();
  // The relayed address, or empty: error() says why.
  std::optional<Endpoint> allocate() { return allocate(udp_protocol); }
  // The same, for TCP (RFC 6062); and connections of that relay with peers.
  std::optional<Endpoint> allocate_tcp() { return allocate(tcp_protocol); }
  std::optional<turn::ConnectionId> connect(const Endpoint& peer);
  // `behind` goes to the wire with the request.
  bool bind_connection(turn::ConnectionId id, Bytes behind = {});
  bool refresh(std::chrono::seconds lifetime);
  // The same with a mobility ticket (RFC 8016), which is taken and given back as it is.
  std::optional<Endpoint> allocate_mobile();
  bool move_with(Bytes ticket);
  const Octets& ticket() const { return ticket_; }
  bool permit(const Endpoint& peer);
  bool bind_channel(std::uint16_t number, const Endpoint& peer);
  void send(std::uint16_t channel, std::string_view text);
  // The text of the next ChannelData message.
  std::optional<std::string> receive(std::uint16_t channel);

  // Of the last request that was refused.
  int error() const { return error_; }

 private:
  static constexpr std::uint8_t udp_protocol = 17;
  static constexpr std::uint8_t tcp_protocol = 6;

  std::optional<Endpoint> allocate(std::uint8_t protocol);
  // Composes the attributes of a request.
  using Compose = std::function<void(stun::MessageWriter&)>;

  // The success, or empty. Answers a challenge (401, 438) once.
  std::optional<Octets> request(stun::Method method, const Compose& compose);
  std::optional<Octets> ask(stun::Method method, const Compose& compose);
  std::optional<Octets> answer_to(const stun::TransactionId& id);
  void keep_ticket(const std::optional<Octets>& answer);
  bool take_challenge(const stun::Message& answer);

  Wire& wire_;
  std::string user_;
  std::string password_;
  std::string realm_;
  std::string nonce_;
  Bytes behind_;
  Octets ticket_;
  int error_ = 0;
};

// Alice at both ends: each allocates, and both hear the other through channels to their relays.
void check_relayed_call(Wire& first, Wire& second);

}  // namespace yuelao::test
