#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/stun/channel_number.hpp"
#include "protocol/stun/message.hpp"
#include "tests/bench/plan.hpp"

namespace yuelao::bench {

struct Account {
  std::string_view user;
  std::string_view password;
};

// One client's transactions with the server, in the order of a call: the challenge,
// Allocate, CreatePermission, ChannelBind, and at the end the Refresh that deletes the
// allocation. Without an envelope one request of `forwarder`'s takes the place of them
// all. It composes and reads messages; sockets and time are the caller's.
class TurnClient {
 public:
  enum class Stage : std::uint8_t { challenge, allocate, permit, bind, ready, release, released };
  enum class Progress : std::uint8_t {
    none,      // not an answer to the request that is out
    advanced,  // request() now composes the next one
    refused,   // refusal() says with which code
  };

  // `number` tells this client's transactions from all others'.
  TurnClient(std::uint32_t number, const Account& account, Envelope envelope);

  Stage stage() const { return stage_; }
  // Before permit, or without an envelope before everything.
  void set_peer(const Endpoint& peer) { peer_ = peer; }
  // From ready: the next request deletes the allocation.
  void release() { enter(Stage::release); }
  // The request of this stage, composed in `out`. Repeated, it is the same transaction.
  Bytes request(MutableBytes out) const;
  Progress on_message(Bytes message);

  const Endpoint& relayed() const { return relayed_; }
  const Endpoint& peer() const { return peer_; }
  Envelope envelope() const { return envelope_; }
  std::uint16_t refusal() const { return refusal_; }
  // Each client has one peer, so one number serves all.
  static constexpr std::uint16_t channel = stun::ChannelNumber::first;

 private:
  void enter(Stage stage);
  Progress on_error(const stun::Message& response);
  bool learn_challenge(const stun::Message& response);
  stun::TransactionId transaction_id() const;

  std::uint32_t number_;
  std::uint32_t transaction_ = 0;
  Account account_;
  Envelope envelope_;
  Stage stage_ = Stage::challenge;
  std::uint16_t refusal_ = 0;
  Endpoint peer_;
  Endpoint relayed_;
  std::string realm_;
  std::string nonce_;
  std::vector<std::byte> key_;
};

}  // namespace yuelao::bench
