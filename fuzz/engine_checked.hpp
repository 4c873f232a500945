#pragma once

#include <optional>
#include <vector>

#include <boost/container/flat_map.hpp>
#include <boost/container/flat_set.hpp>

#include "fuzz/engine_connections.hpp"
#include "fuzz/engine_mobility.hpp"
#include "fuzz/engine_permissions.hpp"
#include "fuzz/engine_requests.hpp"
#include "fuzz/engine_world.hpp"
#include "fuzz/promise.hpp"
#include "fuzz/script.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/turn/engine.hpp"
#include "protocol/turn/peer_ports.hpp"

namespace yuelao::turn {

// The containers are all templates: those of libstdc++ that are not would have to be built with
// MemorySanitizer, too.
//
// The engine in its scripted world, with a model of who may talk to whom beside it. Who gives it an
// input settles it afterwards: then the engine's promises (ARCHITECTURE.md) are checked.
class CheckedEngine {
 public:
  // What an input says of itself, for what comes of it to be held to. Lives until settle().
  struct Input {
    std::optional<ClientPath> from{};
    Bytes message{};                       // of `from`
    std::optional<Endpoint> peer{};        // whom a datagram to a relay came from
    Bytes payload{};                       // what may be relayed of it
    std::optional<Signature> signature{};  // of a request with the right credentials
    bool known = true;  // may come of somebody who is known, so that something is kept of it
  };

  explicit CheckedEngine(fuzz::Script& script) : script_{script} {
    for (std::uint32_t i = 0; i < sites.size(); ++i) {
      engine_.add_listener(Transport::udp, SocketRef::listener(i), sites.at(i));
      engine_.add_listener(Transport::tcp, {}, sites.at(i));
    }
  }

  Engine& engine() { return engine_; }
  Outbox& out() { return out_; }
  Options& options() { return options_; }
  Now now() const { return now_; }
  Connections& connections() { return connections_; }
  Tickets& tickets() { return tickets_; }
  const std::vector<ReservationToken>& tokens() const { return tokens_; }
  bool has(RelayId relay) const { return open_.contains(relay); }
  bool permits(RelayId relay, const Endpoint& peer) const {
    return permissions_.permits(relay, directory_.to_advertised(peer).address, now_);
  }
  // Of all that came out so far: the same script gives the same.
  std::uint64_t digest() const { return digest_; }

  void pass(std::chrono::seconds time) {
    now_.steady += time;
    now_.wall += time;
  }

  // Before the engine gets what it is.
  void begin(const Input& input) {
    input_ = input;
    kept_ = kept();
  }

  // As a shard does; the scripted world refuses a relay now and then.
  void settle() {
    take_sends();
    while (!out_.commands().empty()) {
      for (const auto& command : out_.take_commands()) {
        carry_out(command);
        take_sends();
      }
    }
    promise_agreement();
    fuzz::promise(input_.known || kept() <= kept_, "before authentication no memory is kept");
    input_ = {};
  }

  // After the last lifetime.
  void check_empty() const {
    using fuzz::promise;
    promise(engine_.allocation_count() == 0, "nothing outlives its lifetime");
    promise(quota_.total() == 0 && quota_.users() == 0 && quota_.prefixes() == 0,
            "what was counted is given back");
    promise(open_.empty(), "every relay that opened is closed");
    promise(roaming_.size() == 0, "nobody is passed on any more");
    promise(connections_.empty(), "every connection with a peer is closed");
    promise(quota_.connections() == 0 && quota_.connected_users() == 0,
            "what was counted of connections is given back");
    promise(held_.empty() && reservations_.size() == 0, "every reserved port is given back");
  }

 private:
  // What the engine remembers of whoever there was.
  std::size_t kept() const {
    return engine_.allocation_count() + reservations_.size() + roaming_.size() +
           quota_.connections() + quota_.users() + quota_.prefixes();
  }

  void promise_agreement() const {
    using fuzz::promise;
    promise(engine_.consistent(), "tables and counters agree");
    promise(engine_.allocation_count() + reservations_.size() == quota_.total(),
            "quota and tables agree");
    promise(connections_.size() == quota_.connections(), "connections are counted");
    promise(connections_.all([this](RelayId relay) { return has(relay); }),
            "a connection ends at the latest with its allocation");
    promise(roaming_.size() <= 2 * engine_.allocation_count(), "an allocation has two five-tuples");
  }

  // After each input.
  void take_sends() {
    using fuzz::promise;
    promise(out_.sends().size() + out_.forwards().size() <= 1, "an input is answered at most once");
    promise(out_.handovers().empty(), "with one shard nothing is handed to another");
    for (const auto& send : out_.sends()) {
      check(send);
      note(send);
      tickets_.note(send);
    }
    out_.clear_sends();
  }

  void check(const Send& send) const {
    fuzz::promise_written(send.prefix);
    fuzz::promise_written(send.payload);
    if (send.from.kind == SocketRef::Kind::relay) return check_to_peer(send);
    const auto answer = stun::Message::parse(send.prefix);
    const bool data = !answer || answer->method() == stun::Method::data;
    if (data) return check_to_client(send, answer);
    check_answer(send, *answer);
  }

  void check_to_peer(const Send& send) const {
    using fuzz::promise;
    const auto policy = PeerPolicy{options_.peers}.judge(send.to.address);
    promise(policy != PeerPolicy::Verdict::forbidden, "a forbidden peer is never sent to");
    promise(ports_.allow(RelayTransport::udp, send.to.port), "nor is a port of a service");
    promise(policy != PeerPolicy::Verdict::own, "relays of our own are reached inside the process");
    const RelayId relay{send.from.index, send.from.generation};
    promise(has(relay), "a relay that is open sends");
    promise(permits(relay, send.to), "nothing is sent to a peer without a live permission");
    promise(input_.from.has_value() && send.prefix.empty(), "a peer gets what a client sends");
    promise(std::ranges::equal(send.payload, input_.payload), "what is relayed is what came");
    promise(stun_like(input_.message) ||
                permissions_.bound(input_.from->tuple, load_u16(input_.message), send.to, now_),
            "a channel leads to the peer it was bound to");
  }

  // A Data indication, or ChannelData where it is no STUN message.
  void check_to_client(const Send& send,
                       const std::expected<stun::Message, stun::ParseError>& indication) const {
    using fuzz::promise;
    const auto client = client_of(send);
    promise(client.has_value(), "clients are who came");
    if (stun_like(send.prefix)) {
      // Its payload stands beside it, so as a message it may end too early.
      const auto peer = peer_in(send.prefix);
      promise(permissions_.reaches(*client, peer.address, now_),
              "nothing reaches a client from a peer without a live permission");
      promise(!input_.peer || peer == directory_.to_advertised(*input_.peer),
              "a client is told who sent it");
    } else {
      promise(permissions_.reaches(*client, load_u16(send.prefix), now_),
              "nothing reaches a client on a channel without a live permission");
      promise(load_u16(send.prefix.subspan(2)) == send.payload.size(), "ChannelData is whole");
    }
    promise(indication.has_value() || std::ranges::equal(send.payload, input_.payload),
            "what is relayed is what came");
  }

  void check_answer(const Send& send, const stun::Message& answer) const {
    using fuzz::promise;
    if (answer.message_class() == stun::Class::indication) return;
    if (input_.from && answer.method() != stun::Method::binding) {
      promise(send.from == input_.from->socket, "an answer goes to who asked");
      promise(!send.from.datagrams() || send.to == input_.from->tuple.client,
              "an answer goes to where it was asked from");
    }
    // Who gives the right credentials is known, and told so in a way that he understands.
    if (!input_.signature) return;
    const auto& [key, sha256] = *input_.signature;
    const auto integrity = sha256 ? stun::verify_integrity_sha256(answer, key.bytes())
                                  : stun::verify_integrity(answer, key.bytes());
    promise(integrity == stun::Integrity::valid, "an answer is signed as its request was");
  }

  // For the model, and for who compares two runs.
  void note(const Send& send) {
    add_to_digest(send.prefix);
    add_to_digest(send.payload);
    add_to_digest(as_bytes(send.to.to_string()));
    if (send.from.kind == SocketRef::Kind::relay && stun_like(input_.message)) {
      permissions_.sent({send.from.index, send.from.generation}, send.to, now_);
    }
    const auto answer = stun::Message::parse(send.prefix);
    if (!answer || answer->message_class() != stun::Class::success || !input_.from) return;
    const auto request = stun::Message::parse(input_.message);
    if (request && request->method() == answer->method()) {
      permissions_.granted(input_.from->tuple, *request, now_);
    }
  }
  void add_to_digest(Bytes octets) {
    constexpr std::uint64_t fnv_prime = 0x100000001B3;
    for (const auto octet : octets) {
      digest_ = (digest_ ^ std::to_integer<std::uint64_t>(octet)) * fnv_prime;
    }
  }

  void carry_out(const Command& command) {
    const std::array kind{static_cast<std::byte>(command.index())};
    add_to_digest(kind);
    if (const auto* relay = std::get_if<OpenRelay>(&command)) open(*relay);
    if (const auto* reserved = std::get_if<OpenReserved>(&command)) open(*reserved);
    if (const auto* close = std::get_if<CloseReserved>(&command)) held_.erase(close->token);
    if (const auto* notice = std::get_if<Notice>(&command)) permissions_.note(*notice);
    carry_out_connection(command);
    if (const auto* close = std::get_if<CloseRelay>(&command)) {
      fuzz::promise(open_.erase(close->id) == 1, "a relay is closed once");
      permissions_.closed(close->id);
    }
  }

  void carry_out_connection(const Command& command) {
    if (const auto* connect = std::get_if<ConnectPeer>(&command)) {
      fuzz::promise(has(connect->relay), "a relay that is open connects");
      connections_.connect(*connect, options_.peers, ports_, directory_);
    }
    if (const auto* late = std::get_if<CancelConnect>(&command)) {
      connections_.cancel(late->id);
      engine_.on_peer_connected(late->id, std::unexpected{ConnectFailure::timed_out}, now_, out_);
    }
    if (const auto* bind = std::get_if<BindPeer>(&command)) connections_.bind(*bind);
    if (const auto* close = std::get_if<ClosePeer>(&command)) connections_.close(close->id);
  }

  void open(const OpenRelay& wanted) {
    const bool v4 = wanted.family == Family::ipv4;
    const auto bound = address(v4 ? "10.9.9.9" : "2600:5::5");
    if (script_.choose(8) == 7) return refuse(wanted.id);
    if (wanted.reserve_next) {
      held_.emplace(*wanted.reserve_next, Endpoint{bound, next_port_++});
      tokens_.push_back(*wanted.reserve_next);
    }
    opened(wanted.id, {bound, next_port_++});
  }
  void open(const OpenReserved& wanted) {
    const auto held = held_.find(wanted.token);
    fuzz::promise(held != held_.end(), "what is reserved is opened once");
    const auto bound = held->second;
    held_.erase(held);
    if (script_.choose(8) == 7) return refuse(wanted.id);
    opened(wanted.id, bound);
  }
  void opened(RelayId relay, const Endpoint& bound) {
    fuzz::promise(open_.insert(relay).second, "a relay is opened once");
    permissions_.opened(relay, bound);
    engine_.on_relay_opened(relay, bound, now_, out_);
  }
  void refuse(RelayId relay) {
    engine_.on_relay_opened(relay, std::unexpected{RelayFailure::no_port}, now_, out_);
  }

  fuzz::Script& script_;
  Input input_;
  std::size_t kept_ = 0;
  std::uint64_t digest_ = 0xCBF29CE484222325;
  Options options_ = fuzz_options();
  Now now_{SteadyTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'800'000'000}}};
  CountingRandom random_;
  inline static const PeerPorts ports_{fuzz_options().peers};
  QuotaLedger quota_{options_.limits};
  // Nothing is live in it once everything is closed, and it is large.
  inline static const RelayDirectory directory_{fuzz_options().relay_addresses};
  ReservationBook reservations_;
  RoamingTable roaming_;
  BandwidthPool bandwidth_{2};
  Engine engine_{
      options_, {quota_, directory_, reservations_, roaming_, bandwidth_, this_shard, 2}, random_};
  Outbox out_;
  boost::container::flat_set<RelayId> open_;
  Permissions permissions_{options_};
  Connections connections_;
  boost::container::flat_map<ReservationToken, Endpoint> held_;
  std::vector<ReservationToken> tokens_;  // all that there were
  Tickets tickets_{options_};
  std::uint16_t next_port_ = 50000;
};

}  // namespace yuelao::turn
