#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "fuzz/promise.hpp"
#include "fuzz/script.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/stun/security_features.hpp"
#include "protocol/turn/engine.hpp"

// The world of the engine fuzzer: two shards whose sockets, mailboxes and clock are the script's,
// and the promises that hold after every step.
namespace yuelao::turn::fuzzed {

using namespace std::chrono_literals;
using fuzz::promise;
using fuzz::Script;
namespace attribute = stun::attribute;

inline constexpr std::size_t client_count = 4;
inline constexpr unsigned shard_count = 2;
inline constexpr stun::Attribute<Bytes> password_algorithms{attribute::password_algorithms.type};

inline IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

// Legal, forbidden and own peers, of both families.
inline const std::array<Endpoint, 8> peers = {
    Endpoint{address("1.1.1.1"), 1},     Endpoint{address("1.1.1.1"), 2},
    Endpoint{address("9.9.9.9"), 9},     Endpoint{address("10.0.0.1"), 80},
    Endpoint{address("5.5.5.5"), 50000}, Endpoint{address("5.5.5.5"), 22},
    Endpoint{address("2600::1"), 1},     Endpoint{address("::1"), 1},
};

inline constexpr std::array families = {Family::ipv4, Family::ipv6};

// Where behaviour discovery is served: a listener each, in this order.
inline const std::array<Endpoint, 4> sites = {
    Endpoint{address("5.5.5.5"), 3478},
    Endpoint{address("5.5.5.5"), 3479},
    Endpoint{address("5.5.5.6"), 3478},
    Endpoint{address("5.5.5.6"), 3479},
};
// The answer to a Binding with nothing in it but FINGERPRINT, by RFC 5780 and IPv4.
inline constexpr std::size_t bare_answer_bytes = 76;

inline Options fuzz_options() {
  Options options;
  options.nonce_key = Secret{"0123456789abcdef0123456789abcdef"};
  options.credentials.users = {{"alice", Secret{"wonderland"}}, {"bob", Secret{"builder"}}};
  options.relay_addresses = {{address("5.5.5.5"), address("10.9.9.9")},
                             {address("2600:5::5"), address("2600:5::5")}};
  options.peers.own_addresses = {address("5.5.5.5"), address("10.9.9.9"), address("2600:5::5")};
  options.mobility = true;
  options.behavior_discovery.addresses = {{address("5.5.5.5"), address("5.5.5.5")},
                                          {address("5.5.5.6"), address("5.5.5.6")}};
  options.limits.allocations = 4;
  options.limits.permissions_per_allocation = 2;
  options.limits.channels_per_allocation = 2;
  return options;
}

class CountingRandom final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(next_++);
  }

 private:
  unsigned next_ = 0;
};

class World {
 protected:
  explicit World(Bytes input) : script_{input} {
    for (const auto& shard : shards_) {
      for (std::uint32_t i = 0; i < sites.size(); ++i) {
        shard->engine.add_listener(Transport::udp, SocketRef::listener(i), sites.at(i));
        shard->engine.add_listener(Transport::tcp, {}, sites.at(i));
      }
    }
  }

  // The kernel gives a five-tuple to one shard for good.
  struct Shard {
    explicit Shard(const Options& options, const Shared& shared, Random& random)
        : engine{options, shared, random} {}
    Engine engine;
    Outbox out;
    std::set<RelayId> open;
    std::map<Endpoint, RelayId> sockets;
    struct Letter {
      Forward forward;
      std::vector<std::byte> payload;
    };
    // What other shards have for it: errands and allocations come before letters.
    std::deque<std::variant<Errand, Depart>> parcels;
    std::deque<Letter> letters;
  };

  Shard& shard_of(unsigned client) { return *shards_.at(client % shard_count); }
  Shard& any_shard() { return *shards_.at(script_.choose(shard_count)); }

  void advance() {
    for (const auto& shard : shards_) {
      shard->engine.advance(now_, shard->out);
      settle(*shard);
    }
  }

  // What waits for the shard, in the order in which the server has it there.
  void deliver(unsigned to) {
    auto& shard = *shards_.at(to);
    while (!shard.parcels.empty()) {
      const auto parcel = std::move(shard.parcels.front());
      shard.parcels.pop_front();
      if (const auto* errand = std::get_if<Errand>(&parcel)) {
        shard.engine.on_errand(*errand, now_, shard.out);
      } else {
        shard.engine.on_arrival(std::get<Depart>(parcel).allocations, now_, shard.out);
      }
      settle(shard);
    }
    for (auto count = shard.letters.size(); count > 0; --count) {
      auto letter = std::move(shard.letters.front());
      shard.letters.pop_front();
      letter.forward.payload = letter.payload;
      shard.engine.on_forward(letter.forward, now_, shard.out);
      settle(shard);
    }
  }
  void deliver_all() {
    // A message goes to another shard, back, and is answered.
    for (int round = 0; round < 8; ++round) {
      for (unsigned to = 0; to < shard_count; ++to) deliver(to);
    }
    for (const auto& shard : shards_) {
      promise(shard->parcels.empty() && shard->letters.empty(), "no letter goes round for ever");
    }
  }

  // As a shard does; the scripted world refuses a relay now and then.
  void settle(Shard& shard) {
    auto& out = shard.out;
    while (!out.sends().empty() || !out.commands().empty() || !out.forwards().empty() ||
           !out.errands().empty() || !out.handovers().empty()) {
      // Handovers get lost here, as in a mailbox that is full.
      promise(out.sends().size() + out.forwards().size() + out.handovers().size() <= 1,
              "an input is answered at most once");
      for (const auto& errand : out.errands()) shards_.at(errand.to)->parcels.emplace_back(errand);
      for (const auto& forward : out.forwards()) {
        const auto payload = forward.payload;
        shards_.at(forward.to)->letters.push_back({forward, {payload.begin(), payload.end()}});
      }
      for (const auto& send : out.sends()) check(shard, send);
      out.clear_sends();
      for (const auto& command : out.take_commands()) carry_out(shard, command);
    }
    std::size_t counted = reservations_.size();
    for (const auto& each : shards_) {
      promise(each->engine.consistent(), "tables and counters agree");
      counted += each->engine.allocation_count();
      for (const auto& parcel : each->parcels) {
        const auto* depart = std::get_if<Depart>(&parcel);
        if (depart != nullptr) counted += depart->allocations.size();
      }
    }
    promise(counted == quota_.total(), "quota and tables agree");
    check_owners();
  }

  // In one table or on the way to one, and so once in all of them.
  void check_owners() const {
    std::set<Endpoint> bound;
    std::size_t open = 0;
    for (const auto& shard : shards_) {
      for (const auto& [at, relay] : shard->sockets) bound.insert(at);
      open += shard->open.size();
    }
    promise(bound.size() == open, "a relay has one owner");
  }
  std::size_t open_count() const {
    std::size_t count = 0;
    for (const auto& shard : shards_) count += shard->open.size();
    return count;
  }

  // Who gives the right credentials is known, and told so in a way that he understands.
  void check_signed(const Send& send) const {
    const auto answer = stun::Message::parse(send.prefix);
    if (!expected_ || !answer || answer->message_class() == stun::Class::indication) return;
    const auto& [key, sha256] = *expected_;
    const auto integrity = sha256 ? stun::verify_integrity_sha256(*answer, key.bytes())
                                  : stun::verify_integrity(*answer, key.bytes());
    promise(integrity == stun::Integrity::valid, "an answer is signed as its request was");
  }

  void check(const Shard& shard, const Send& send) {
    check_signed(send);
    note_ticket(send);
    if (send.from.kind != SocketRef::Kind::relay) return;
    const auto policy = PeerPolicy{options_.peers}.judge(send.to.address);
    promise(policy != PeerPolicy::Verdict::forbidden, "a forbidden peer is never sent to");
    promise(policy != PeerPolicy::Verdict::own, "relays of our own are reached inside the process");
    promise(shard.open.contains({send.from.index, send.from.generation}),
            "a relay that is open sends");
  }

  void note_ticket(const Send& send) {
    const auto answer = stun::Message::parse(send.prefix);
    if (!answer) return;
    const auto ticket = answer->value_of(attribute::mobility_ticket.type);
    if (ticket) tickets_.emplace_back(ticket->begin(), ticket->end());
  }

  void carry_out(Shard& shard, const Command& command) {
    if (const auto* relay = std::get_if<OpenRelay>(&command)) open(shard, *relay);
    if (const auto* reserved = std::get_if<OpenReserved>(&command)) open(shard, *reserved);
    if (const auto* close = std::get_if<CloseReserved>(&command)) held_.erase(close->token);
    if (const auto* close = std::get_if<CloseRelay>(&command)) {
      promise(shard.open.erase(close->id) == 1, "a relay is closed once");
      std::erase_if(shard.sockets, [&](const auto& socket) { return socket.second == close->id; });
    }
    if (const auto* depart = std::get_if<Depart>(&command)) {
      for (const auto& allocation : depart->allocations) {
        promise(shard.open.erase(allocation.id) == 1, "what departs was here");
        shard.sockets.erase(allocation.bound_endpoint());
      }
      shards_.at(depart->to)->parcels.emplace_back(*depart);
    }
    if (const auto* take = std::get_if<TakeRelay>(&command)) {
      promise(shard.open.insert(take->id).second, "a relay is opened once");
      promise(shard.sockets.emplace(take->bound, take->id).second, "a relay is opened once");
    }
  }

  void open(Shard& shard, const OpenRelay& wanted) {
    const bool v4 = wanted.family == Family::ipv4;
    const auto bound = address(v4 ? "10.9.9.9" : "2600:5::5");
    if (script_.choose(8) == 7) return refuse(shard, wanted.id);
    if (wanted.reserve_next) {
      held_.emplace(*wanted.reserve_next, Endpoint{bound, next_port_++});
      tokens_.push_back(*wanted.reserve_next);
    }
    opened(shard, wanted.id, {bound, next_port_++});
  }
  void open(Shard& shard, const OpenReserved& wanted) {
    auto held = held_.extract(wanted.token);
    promise(!held.empty(), "what is reserved is opened once");
    if (script_.choose(8) == 7) return refuse(shard, wanted.id);
    opened(shard, wanted.id, held.mapped());
  }
  void opened(Shard& shard, RelayId relay, const Endpoint& bound) {
    promise(shard.open.insert(relay).second, "a relay is opened once");
    shard.sockets.emplace(bound, relay);
    shard.engine.on_relay_opened(relay, bound, now_, shard.out);
  }
  void refuse(Shard& shard, RelayId relay) {
    shard.engine.on_relay_opened(relay, std::unexpected{RelayFailure::no_port}, now_, shard.out);
  }

  struct Expected {
    stun::LongTermKey key;
    bool sha256;
  };

  Script script_;
  std::optional<Expected> expected_;
  Options options_ = fuzz_options();
  Now now_{SteadyTime{1000s}, WallTime{1'800'000'000s}};
  CountingRandom random_;
  QuotaLedger quota_{options_.limits};
  RelayDirectory directory_{options_.relay_addresses};
  ReservationBook reservations_;
  std::array<std::unique_ptr<Shard>, shard_count> shards_ = {
      std::make_unique<Shard>(options_, Shared{quota_, directory_, reservations_, 0}, random_),
      std::make_unique<Shard>(options_, Shared{quota_, directory_, reservations_, 1}, random_)};
  std::map<ReservationToken, Endpoint> held_;
  std::vector<ReservationToken> tokens_;  // all that there were
  std::vector<std::vector<std::byte>> tickets_;
  std::uint16_t next_port_ = 50000;
};

}  // namespace yuelao::turn::fuzzed
