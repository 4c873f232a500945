#pragma once

#include <optional>
#include <vector>

#include "fuzz/engine_world.hpp"
#include "fuzz/promise.hpp"
#include "fuzz/script.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/engine.hpp"

// What the engine's fuzzer does about mobility (RFC 8016): it is the first of two shards, and the
// script is the other one.
namespace yuelao::turn {

inline constexpr ShardNumber this_shard = 0;
inline constexpr ShardNumber other_shard = 1;

// All tickets that there were, the other shard's too.
class Tickets {
 public:
  explicit Tickets(const Options& options) {
    const auto foreign = TicketSealer{options.nonce_key}.seal({.session = 7, .shard = other_shard});
    tickets_.emplace_back(foreign.begin(), foreign.end());
  }

  void note(const Send& send) {
    const auto answer = stun::Message::parse(send.prefix);
    const auto ticket =
        answer ? answer->value_of(stun::attribute::mobility_ticket.type) : std::nullopt;
    if (ticket) tickets_.emplace_back(ticket->begin(), ticket->end());
  }
  // One of the newest, now and then broken.
  void add(stun::MessageWriter& writer, fuzz::Script& script) const {
    auto ticket = tickets_.at(tickets_.size() - 1 - script.choose(4) % tickets_.size());
    const auto size = static_cast<unsigned>(ticket.size());
    if (script.choose(8) == 7) ticket.at(script.choose(size)) ^= std::byte{1};
    writer.add(stun::attribute::mobility_ticket, Bytes{ticket});
  }

 private:
  std::vector<std::vector<std::byte>> tickets_;
};

// Of an input whose message came from `path`, and was passed on by the other shard or not.
inline void check_passed_on(const Outbox& out, const Engine& engine, const ClientPath& path,
                            bool passed_on) {
  const auto stays = [&] {
    fuzz::promise(!passed_on, "what was passed on is not passed on again");
    fuzz::promise(!engine.has_allocation(path), "whose allocation is here is decided on here");
  };
  for (const auto& forward : out.forwards()) {
    fuzz::promise(forward.shard == other_shard, "nobody passes on to himself");
    fuzz::promise(path.socket.datagrams(), "a stream goes as a whole");
    stays();
  }
  for (const auto& command : out.commands()) {
    const auto* const move = std::get_if<MoveClient>(&command);
    if (move == nullptr) continue;
    fuzz::promise(move->shard == other_shard, "nobody moves to where he is");
    fuzz::promise(!path.socket.datagrams(), "a datagram goes by itself");
    stays();
  }
}

}  // namespace yuelao::turn
