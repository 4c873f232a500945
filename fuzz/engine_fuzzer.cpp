#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "fuzz/discovery_promises.hpp"
#include "fuzz/discovery_request.hpp"
#include "fuzz/engine_connections.hpp"
#include "fuzz/engine_mobility.hpp"
#include "fuzz/engine_requests.hpp"
#include "fuzz/engine_world.hpp"
#include "fuzz/promise.hpp"
#include "fuzz/script.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/integrity.hpp"
#include "protocol/stun/message_writer.hpp"
#include "protocol/turn/engine.hpp"

// Drives one engine with a script of requests, data, time and world events read from
// the input, beside a model of who may talk to whom, and checks the engine's promises
// (ARCHITECTURE.md) after every step.
namespace yuelao::turn {
namespace {

using namespace std::chrono_literals;
using fuzz::promise;
using fuzz::Script;
namespace attribute = stun::attribute;

constexpr std::size_t client_count = 5;

class Driver {
 public:
  explicit Driver(Bytes input) : script_{input} {
    for (std::uint32_t i = 0; i < sites.size(); ++i) {
      engine_.add_listener(Transport::udp, SocketRef::listener(i), sites.at(i));
      engine_.add_listener(Transport::tcp, {}, sites.at(i));
    }
  }

  void run() {
    while (!script_.over()) step();
    engine_.advance(now_, out_);
    settle();
    // After the last lifetime every table is empty, of reservations too.
    now_.steady += options_.maximum_lifetime + 2s;
    engine_.advance(now_, out_);
    settle();
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
  void step() {
    switch (script_.choose(18)) {
      case 0:
        return request(stun::Method::allocate);
      case 1:
        return request(stun::Method::refresh);
      case 2:
        return request(stun::Method::create_permission);
      case 3:
        return request(stun::Method::channel_bind);
      case 4:
        return send_to_peer();
      case 5:
        return receive_from_peer();
      case 6:
        return pass_time();
      case 7:
        return receive_error();
      case 9:
        return request(stun::Method::connect);
      case 10:
        return request(stun::Method::connection_bind);
      case 11:
        return accept_peer();
      case 12:
        return finish_connect();
      case 13:
        return end_connection();
      case 14:
        return discover_behavior();
      case 15:
        return request(stun::Method::refresh, true);
      case 16:
        return send_to_peer(true);
      case 17:
        return reconfigure();
      default:
        return anything();
    }
  }

  void request(stun::Method method, bool passed_on = false) {
    const auto from = path(script_.choose(client_count));
    const bool alice = script_.choose(8) != 7;
    const std::string_view user = alice ? "alice" : "bob";
    std::array<std::byte, 12> id{};
    store_u32(id, script_.choose(4) == 0 ? transaction_ : ++transaction_);
    std::array<std::byte, 1024> buffer{};
    stun::MessageWriter writer{buffer, method, stun::Class::request,
                               stun::TransactionId::from_random(id)};
    add_attributes(writer, method);
    expected_ = sign(writer, {options_, user, from.tuple.client, now_.wall}, script_);
    give(from, writer.finish(), passed_on);
    settle();
    expected_.reset();
  }

  // By itself or from the other shard, which has datagrams alone to pass on.
  void give(const ClientPath& from, Bytes message, bool passed_on) {
    passed_on = passed_on && from.socket.datagrams();
    if (passed_on) {
      engine_.on_forward({this_shard, from, message}, now_, out_);
    } else {
      engine_.on_client_message(from, message, now_, out_);
    }
    check_passed_on(out_, engine_, from, passed_on);
  }

  // RFC 5780 in every combination of its attributes, whole or not.
  void discover_behavior() {
    auto from = path(script_.choose(client_count));
    if (from.tuple.transport == Transport::udp) {
      const auto site = script_.choose(sites.size());
      from.socket = SocketRef::listener(site);
      from.tuple.server = sites.at(site);
    }
    std::array<std::byte, 4096> buffer{};
    const auto request = fuzz::discovery_request(script_, buffer);
    engine_.on_client_message(from, request, now_, out_);
    for (const auto& send : out_.sends()) check_discovered(send, from, request);
    settle();
  }

  void add_attributes(stun::MessageWriter& writer, stun::Method method) {
    if (method == stun::Method::allocate) {
      add_wishes(writer, tokens_, script_);
    }
    if (method == stun::Method::refresh) {
      const auto wishes = script_.choose(4);
      if ((wishes & 1U) == 0) {
        writer.add(attribute::requested_address_family, families.at(script_.choose(2)));
      }
      if ((wishes & 2U) != 0) tickets_.add(writer, script_);
    }
    if (method == stun::Method::channel_bind) {
      const auto number = static_cast<std::uint16_t>(0x4000 + script_.choose(3));
      writer.add(attribute::channel_number, stun::ChannelNumber::from(number).value());
    }
    if (method == stun::Method::connection_bind) {
      // Now and then one that nobody has.
      writer.add(attribute::connection_id, connections_.pick(script_.choose(5)));
      return;
    }
    if (method == stun::Method::refresh || method == stun::Method::allocate) {
      constexpr std::array lifetimes{0s, 1s, 700s, 5000s};
      if (const auto pick = script_.choose(6); pick < 4) {
        writer.add(attribute::lifetime, lifetimes.at(pick));
      }
      return;
    }
    const bool one = method == stun::Method::channel_bind || method == stun::Method::connect;
    const auto count = one ? 1 : script_.choose(4);
    for (unsigned i = 0; i < count; ++i) {
      writer.add(attribute::xor_peer_address, peers.at(script_.choose(peers.size())));
    }
  }

  void send_to_peer(bool passed_on = false) {
    const auto from = path(script_.choose(client_count));
    std::array<std::byte, 256> buffer{};
    if (script_.choose(2) == 0) {
      store_u16(buffer, static_cast<std::uint16_t>(0x4000 + script_.choose(3)));
      give(from, Bytes{buffer}.first(4), passed_on);
    } else {
      stun::MessageWriter writer{buffer, stun::Method::send, stun::Class::indication,
                                 stun::TransactionId::from_random(std::array<std::byte, 12>{})};
      writer.add(attribute::xor_peer_address, peers.at(script_.choose(peers.size())))
          .add(attribute::data, script_.take(5));
      if (script_.choose(2) == 0) writer.add(attribute::dont_fragment, {});
      give(from, writer.finish(), passed_on);
    }
    settle();
  }

  void receive_from_peer() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    engine_.on_peer_datagram(relay, peers.at(script_.choose(peers.size())), script_.take(5), now_,
                             out_);
    settle();
  }

  void receive_error() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    const stun::Icmp icmp{static_cast<std::uint8_t>(script_.choose(13)),
                          static_cast<std::uint8_t>(script_.choose(5)), 1400};
    engine_.on_peer_error(relay, {peers.at(script_.choose(peers.size())), icmp}, now_, out_);
    for (const auto& send : out_.sends()) {
      promise(send.from.kind != SocketRef::Kind::relay, "an ICMP error is told to clients alone");
    }
    settle();
  }

  void accept_peer() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    const auto peer = peers.at(script_.choose(peers.size()));
    const auto id = engine_.on_peer_accepted(relay, peer, now_, out_);
    promise(id.has_value() == !out_.sends().empty(), "a client is told of what is accepted");
    if (id) {
      promise(open_.contains(relay), "a relay that is open accepts");
      connections_.accept(*id);
    }
    settle();
  }

  void finish_connect() {
    if (const auto id = connections_.any(Connections::State::connecting)) {
      const bool made = script_.choose(3) != 0;
      connections_.outcome(*id, made);
      std::expected<void, ConnectFailure> outcome;
      if (!made) outcome = std::unexpected{ConnectFailure::failed};
      engine_.on_peer_connected(*id, outcome, now_, out_);
    }
    settle();
  }

  void end_connection() {
    if (const auto id = connections_.any(Connections::State::bound)) {
      connections_.close(*id);
      engine_.on_connection_ended(*id);
    }
    settle();
  }

  void pass_time() {
    constexpr std::array steps{1s, 299s, 300s, 600s, 3600s, 30s};
    const auto time = steps.at(script_.choose(steps.size()));
    now_.steady += time;
    now_.wall += time;
    if (script_.choose(2) == 0) engine_.advance(now_, out_);
    settle();
  }

  void anything() {
    const auto from = path(script_.choose(client_count));
    if (script_.choose(4) == 0) {
      engine_.on_client_closed(from, now_, out_);
    } else {
      give(from, script_.take(64), false);
    }
    settle();
  }

  void reconfigure() {
    options_.mobility = !options_.mobility;
    engine_.reconfigure(options_);
    settle();
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
    promise(engine_.consistent(), "tables and counters agree");
    promise(engine_.allocation_count() + reservations_.size() == quota_.total(),
            "quota and tables agree");
    promise(connections_.size() == quota_.connections(), "connections are counted");
    promise(roaming_.size() <= 2 * engine_.allocation_count(), "an allocation has two five-tuples");
  }

  // After each input.
  void take_sends() {
    promise(out_.sends().size() <= 1, "an input is answered at most once");
    promise(out_.handovers().empty(), "with one shard nothing is handed to another");
    for (const auto& send : out_.sends()) {
      check(send);
      tickets_.note(send);
    }
    out_.clear_sends();
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

  void check(const Send& send) const {
    check_signed(send);
    if (send.from.kind != SocketRef::Kind::relay) return;
    const auto policy = PeerPolicy{options_.peers}.judge(send.to.address);
    promise(policy != PeerPolicy::Verdict::forbidden, "a forbidden peer is never sent to");
    promise(ports_.allow(RelayTransport::udp, send.to.port), "nor is a port of a service");
    promise(policy != PeerPolicy::Verdict::own, "relays of our own are reached inside the process");
    promise(open_.contains({send.from.index, send.from.generation}), "a relay that is open sends");
  }

  void carry_out(const Command& command) {
    if (const auto* relay = std::get_if<OpenRelay>(&command)) open(*relay);
    if (const auto* reserved = std::get_if<OpenReserved>(&command)) open(*reserved);
    if (const auto* close = std::get_if<CloseReserved>(&command)) held_.erase(close->token);
    carry_out_connection(command);
    if (const auto* close = std::get_if<CloseRelay>(&command)) {
      promise(open_.erase(close->id) == 1, "a relay is closed once");
    }
  }

  void carry_out_connection(const Command& command) {
    if (const auto* connect = std::get_if<ConnectPeer>(&command)) {
      promise(open_.contains(connect->relay), "a relay that is open connects");
      connections_.connect(*connect, options_.peers, directory_);
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
    auto held = held_.extract(wanted.token);
    promise(!held.empty(), "what is reserved is opened once");
    if (script_.choose(8) == 7) return refuse(wanted.id);
    opened(wanted.id, held.mapped());
  }
  void opened(RelayId relay, const Endpoint& bound) {
    promise(open_.insert(relay).second, "a relay is opened once");
    engine_.on_relay_opened(relay, bound, now_, out_);
  }
  void refuse(RelayId relay) {
    engine_.on_relay_opened(relay, std::unexpected{RelayFailure::no_port}, now_, out_);
  }

  Script script_;
  std::optional<Signature> expected_;
  Options options_ = fuzz_options();
  Now now_{SteadyTime{1000s}, WallTime{1'800'000'000s}};
  CountingRandom random_;
  PeerPorts ports_{options_.peers};
  QuotaLedger quota_{options_.limits};
  RelayDirectory directory_{options_.relay_addresses};
  ReservationBook reservations_;
  RoamingTable roaming_;
  BandwidthPool bandwidth_{2};
  Engine engine_{
      options_, {quota_, directory_, reservations_, roaming_, bandwidth_, this_shard, 2}, random_};
  Outbox out_;
  std::set<RelayId> open_;
  Connections connections_;
  std::map<ReservationToken, Endpoint> held_;
  std::vector<ReservationToken> tokens_;  // all that there were
  Tickets tickets_{options_};
  std::uint32_t transaction_ = 0;
  std::uint16_t next_port_ = 50000;
};

}  // namespace
}  // namespace yuelao::turn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  yuelao::turn::Driver{std::as_bytes(std::span{data, size})}.run();
  return 0;
}
