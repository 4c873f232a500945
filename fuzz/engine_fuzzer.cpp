#include <array>

#include "fuzz/discovery_promises.hpp"
#include "fuzz/discovery_request.hpp"
#include "fuzz/engine_checked.hpp"
#include "fuzz/engine_requests.hpp"
#include "fuzz/promise.hpp"
#include "fuzz/script.hpp"
#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message_writer.hpp"

// Drives one engine with a script of requests, data, time and world events read from
// the input, beside a model of who may talk to whom, and checks the engine's promises
// (ARCHITECTURE.md) after every step.
namespace yuelao::turn {
namespace {

using namespace std::chrono_literals;
using fuzz::promise;
using fuzz::Script;
namespace attribute = stun::attribute;

class Driver {
 public:
  explicit Driver(Bytes input) : script_{input} {}

  // A number that tells apart what came out.
  std::uint64_t run() {
    while (!script_.over()) step();
    engine_.advance(now(), out_);
    settle();
    checked_.pass(checked_.options().maximum_lifetime + 2s);
    engine_.advance(now(), out_);
    settle();
    checked_.check_empty();
    return checked_.digest();
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
    const auto signature = sign(writer, signer(user, from), script_);
    give({.from = from, .message = writer.finish(), .signature = signature}, passed_on);
  }

  // Of any method and class, with any attributes, signed rightly or not.
  void any_message() {
    const auto from = path(script_.choose(client_count));
    std::array<std::byte, 12> id{};
    store_u32(id, ++transaction_);
    std::array<std::byte, 1024> buffer{};
    stun::MessageWriter writer{buffer, static_cast<stun::Method>(script_.choose(16)),
                               static_cast<stun::Class>(script_.choose(16) / 4 % 4),
                               stun::TransactionId::from_random(id)};
    add_any_attributes(writer, id, script_);
    sign(writer, signer("alice", from), script_);
    give({.from = from, .message = writer.finish(), .payload = {}});
  }

  Signer signer(std::string_view user, const ClientPath& from) {
    return {checked_.options(), user, from.tuple.client, now().wall};
  }

  // By itself or from the other shard, which has datagrams alone to pass on.
  void give(CheckedEngine::Input input, bool passed_on = false) {
    const auto& from = *input.from;
    passed_on = passed_on && from.socket.datagrams();
    if (input.payload.empty()) input.payload = payload_of(input.message);
    checked_.begin(input);
    if (passed_on) {
      engine_.on_forward({this_shard, from, input.message}, now(), out_);
    } else {
      engine_.on_client_message(from, input.message, now(), out_);
    }
    check_passed_on(out_, engine_, from, passed_on);
    settle();
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
    checked_.begin({.from = from, .message = request, .known = false});
    engine_.on_client_message(from, request, now(), out_);
    for (const auto& send : out_.sends()) check_discovered(send, from, request);
    settle();
  }

  void add_attributes(stun::MessageWriter& writer, stun::Method method) {
    if (method == stun::Method::allocate) {
      add_wishes(writer, checked_.tokens(), script_);
    }
    if (method == stun::Method::refresh) {
      const auto wishes = script_.choose(4);
      if ((wishes & 1U) == 0) {
        writer.add(attribute::requested_address_family, families.at(script_.choose(2)));
      }
      if ((wishes & 2U) != 0) checked_.tickets().add(writer, script_);
    }
    if (method == stun::Method::channel_bind) {
      const auto number = static_cast<std::uint16_t>(0x4000 + script_.choose(3));
      writer.add(attribute::channel_number, stun::ChannelNumber::from(number).value());
    }
    if (method == stun::Method::connection_bind) {
      // Now and then one that nobody has.
      writer.add(attribute::connection_id, checked_.connections().pick(script_.choose(5)));
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
      return give({.from = from, .message = Bytes{buffer}.first(4), .known = false}, passed_on);
    }

    stun::MessageWriter writer{buffer, stun::Method::send, stun::Class::indication,
                               stun::TransactionId::from_random(std::array<std::byte, 12>{})};
    writer.add(attribute::xor_peer_address, peers.at(script_.choose(peers.size())))
        .add(attribute::data, script_.take(5));
    if (script_.choose(2) == 0) writer.add(attribute::dont_fragment, {});
    give({.from = from, .message = writer.finish(), .known = false}, passed_on);
  }

  void receive_from_peer() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    const auto peer = peers.at(script_.choose(peers.size()));
    const auto payload = script_.take(5);
    checked_.begin({.peer = peer, .payload = payload, .known = false});
    engine_.on_peer_datagram(relay, peer, payload, now(), out_);
    settle();
  }

  void receive_error() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    const stun::Icmp icmp{static_cast<std::uint8_t>(script_.choose(13)),
                          static_cast<std::uint8_t>(script_.choose(5)), 1400};
    const auto peer = peers.at(script_.choose(peers.size()));
    checked_.begin({.peer = peer, .known = false});
    engine_.on_peer_error(relay, {peer, icmp}, now(), out_);
    for (const auto& send : out_.sends()) {
      promise(send.from.kind != SocketRef::Kind::relay, "an ICMP error is told to clients alone");
    }
    settle();
  }

  void accept_peer() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    const auto peer = peers.at(script_.choose(peers.size()));
    checked_.begin({.peer = peer});
    const auto id = engine_.on_peer_accepted(relay, peer, now(), out_);
    promise(id.has_value() == !out_.sends().empty(), "a client is told of what is accepted");
    if (id) {
      promise(checked_.has(relay), "a relay that is open accepts");
      promise(checked_.permits(relay, peer), "a peer that connects has a permission");
      checked_.connections().accept(*id, relay);
    }
    settle();
  }

  void finish_connect() {
    if (const auto id = checked_.connections().any(Connections::State::connecting)) {
      const bool made = script_.choose(3) != 0;
      checked_.connections().outcome(*id, made);
      std::expected<void, ConnectFailure> outcome;
      if (!made) outcome = std::unexpected{ConnectFailure::failed};
      engine_.on_peer_connected(*id, outcome, now(), out_);
    }
    settle();
  }

  void end_connection() {
    if (const auto id = checked_.connections().any(Connections::State::bound)) {
      checked_.connections().close(*id);
      engine_.on_connection_ended(*id);
    }
    settle();
  }

  void pass_time() {
    constexpr std::array steps{1s, 299s, 300s, 600s, 3600s, 30s};
    checked_.pass(steps.at(script_.choose(steps.size())));
    if (script_.choose(2) == 0) engine_.advance(now(), out_);
    settle();
  }

  void anything() {
    const auto from = path(script_.choose(client_count));
    const auto what = script_.choose(4);
    if (what == 3) return any_message();
    if (what != 0) return give({.from = from, .message = script_.take(64), .known = false});
    engine_.on_client_closed(from, now(), out_);
    settle();
  }

  void reconfigure() {
    auto& options = checked_.options();
    auto& denied = options.credentials.denied_users;
    switch (script_.choose(4)) {
      case 2:
        denied = {"alice"};
        break;
      case 3:
        denied = {"alice", "bob"};
        break;
      default:
        options.mobility = !options.mobility;
    }
    engine_.reconfigure(options, out_);
    settle();
    promise(denied.size() < 2 || engine_.allocation_count() == 0,
            "who is denied keeps no allocation");
    // Let in again, or nobody would have anything any more.
    if (!denied.empty()) {
      denied.clear();
      engine_.reconfigure(options, out_);
      settle();
    }
  }

  void settle() { checked_.settle(); }
  Now now() const { return checked_.now(); }

  Script script_;
  CheckedEngine checked_{script_};
  Engine& engine_ = checked_.engine();
  Outbox& out_ = checked_.out();
  std::uint32_t transaction_ = 0;
};

// The script's input decides whether it costs twice the time.
void check(Bytes input) {
  const auto digest = Driver{input}.run();
  if (input.size() % 8 != 0) return;
  promise(Driver{input}.run() == digest, "the same script gives the same");
}

}  // namespace
}  // namespace yuelao::turn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  yuelao::turn::check(std::as_bytes(std::span{data, size}));
  return 0;
}
