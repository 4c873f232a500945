#include "fuzz/engine_world.hpp"

#include "fuzz/discovery_request.hpp"

// Drives the engines of two shards with a script of requests, data, time and world events read
// from the input, beside a model of who may talk to whom, and checks the engine's promises
// (ARCHITECTURE.md) after every step.
namespace yuelao::turn::fuzzed {
namespace {

class Driver : private World {
 public:
  explicit Driver(Bytes input) : World{input} {}

  void run() {
    while (!script_.over()) step();
    advance();
    deliver_all();
    // After the last lifetime every table is empty, of reservations too.
    now_.steady += options_.maximum_lifetime + 2s;
    advance();
    deliver_all();
    for (const auto& shard : shards_) {
      promise(shard->engine.idle(), "nothing outlives its lifetime");
    }
    promise(quota_.total() == 0 && quota_.users() == 0 && quota_.prefixes() == 0,
            "what was counted is given back");
    promise(open_count() == 0, "every relay that opened is closed");
    promise(held_.empty() && reservations_.size() == 0, "every reserved port is given back");
  }

 private:
  void step() {
    switch (script_.choose(11)) {
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
      case 8:
        return anything();
      case 9:
        return discover_behavior();
      default:
        return deliver(script_.choose(shard_count));
    }
  }

  ClientPath path(unsigned client) const {
    const bool stream = client == 3;
    const auto socket = stream ? SocketRef::stream(client, 0) : SocketRef::listener(0);
    const auto transport = stream ? Transport::tcp : Transport::udp;
    const Endpoint from{address("7.7.7.7"), static_cast<std::uint16_t>(1000 + client)};
    return {socket, {transport, from, {address("5.5.5.5"), 3478}}};
  }

  void request(stun::Method method) {
    const auto client = script_.choose(client_count);
    const auto from = path(client);
    auto& shard = shard_of(client);
    const bool alice = script_.choose(8) != 7;
    const std::string_view user = alice ? "alice" : "bob";
    std::array<std::byte, 12> id{};
    store_u32(id, script_.choose(4) == 0 ? transaction_ : ++transaction_);
    std::array<std::byte, 1024> buffer{};
    stun::MessageWriter writer{buffer, method, stun::Class::request,
                               stun::TransactionId::from_random(id)};
    add_attributes(writer, method);
    sign(writer, user, from.tuple.client);
    const auto message = writer.finish();
    if (method == stun::Method::refresh && script_.choose(4) == 0)
      repeated_[client] = {message.begin(), message.end()};
    shard.engine.on_client_message(from, message, now_, shard.out);
    settle(shard);
    expected_.reset();
  }

  // A Refresh that was sent before, as it was: its ticket may be spent.
  void repeat() {
    const auto client = script_.choose(client_count);
    auto& shard = shard_of(client);
    shard.engine.on_client_message(path(client), repeated_.at(client), now_, shard.out);
    settle(shard);
  }

  // RFC 5780 in every combination of its attributes, whole or not.
  void discover_behavior() {
    const auto client = script_.choose(client_count);
    auto from = path(client);
    auto& shard = shard_of(client);
    if (from.tuple.transport == Transport::udp) {
      const auto site = script_.choose(sites.size());
      from.socket = SocketRef::listener(site);
      from.tuple.server = sites.at(site);
    }
    std::array<std::byte, 4096> buffer{};
    const auto request = fuzz::discovery_request(script_, buffer);
    shard.engine.on_client_message(from, request, now_, shard.out);
    for (const auto& send : shard.out.sends()) check_discovered(send, from, request);
    settle(shard);
  }

  static void check_discovered(const Send& send, const ClientPath& from, Bytes request) {
    promise(send.prefix.size() <= std::max(request.size(), bare_answer_bytes),
            "no attribute makes an answer longer than that to a bare Binding, or its request");
    const auto asked = stun::Message::parse(request).value();
    const auto answer = stun::Message::parse(send.prefix).value();
    promise(!answer.has(attribute::padding.type) || send.prefix.size() <= request.size(),
            "an answer with PADDING is no longer than its request");
    promise(send.to.address == from.tuple.client.address, "the answer goes to who asked");
    const bool moved = send.to.port != from.tuple.client.port;
    promise(!moved || (asked.get(attribute::response_port) == send.to.port && send.to.port > 1023),
            "RESPONSE-PORT alone moves an answer, and to no port below 1024");
    if (send.from.kind == SocketRef::Kind::stream) return;
    promise(send.source == sites.at(send.from.index).address, "the address is the socket's");
    const bool told = answer.has(attribute::response_origin.type);
    promise(!told || answer.get(attribute::response_origin) == sites.at(send.from.index),
            "RESPONSE-ORIGIN is where the answer comes from");
  }

  // In every way that RFC 8489 §9.2 knows, and now and then in none.
  void sign(stun::MessageWriter& writer, std::string_view user, const Endpoint& client) {
    const auto nonce =
        NonceSigner{options_.nonce_key, options_.realm, options_.nonce_lifetime}.make(
            client, {.password_algorithms = script_.choose(8) != 7, .user_anonymity = true},
            now_.wall);
    const auto algorithm =
        script_.choose(2) == 0 ? stun::KeyAlgorithm::md5 : stun::KeyAlgorithm::sha256;
    const auto way = script_.choose(6);
    if (script_.choose(2) == 0) {
      writer.add(attribute::username, user);
    } else {
      writer.add(attribute::userhash, stun::user_hash(user, options_.realm));
    }
    const std::string_view text{nonce.data(), nonce.size()};
    writer.add(attribute::realm, std::string_view{options_.realm}).add(attribute::nonce, text);
    const std::string_view password = user == "alice" ? "wonderland" : "builder";
    if (way == 5) return add_anything(writer, {algorithm, user, options_.realm, password});

    const bool chosen = way < 3 && stun::security_features_of(text).password_algorithms;
    const stun::LongTermKey key{chosen ? algorithm : stun::KeyAlgorithm::md5, user, options_.realm,
                                password};
    expected_ = Expected{key, chosen};
    if (chosen) {
      writer.add(password_algorithms, Authentication::offered_algorithms())
          .add(attribute::password_algorithm, {static_cast<std::uint16_t>(algorithm), {}});
    }
    if (way != 1) writer.add_integrity(key.bytes());
    if (way <= 1 || way == 3) writer.add_integrity_sha256(key.bytes());
  }

  // What may be right by accident, and is signed.
  void add_anything(stun::MessageWriter& writer, const stun::LongTermKey& key) {
    const auto maybe = [&](stun::AttributeType type) {
      if (script_.choose(2) == 0) {
        writer.add(stun::Attribute<Bytes>{type}, script_.take(script_.choose(36)));
      }
    };
    maybe(attribute::password_algorithms.type);
    maybe(attribute::password_algorithm.type);
    maybe(attribute::userhash.type);
    maybe(attribute::message_integrity.type);
    maybe(attribute::message_integrity_sha256.type);
    writer.add_integrity_sha256(key.bytes(), 16 + 4 * script_.choose(5));
  }

  void add_attributes(stun::MessageWriter& writer, stun::Method method) {
    if (method == stun::Method::allocate) {
      writer.add(attribute::requested_transport, static_cast<std::uint8_t>(17));
      add_wishes(writer);
    }
    if (method == stun::Method::refresh && !tickets_.empty() && script_.choose(2) == 0) {
      // The newest, mostly.
      const auto newest = tickets_.size() - 1 - script_.choose(3) % tickets_.size();
      auto ticket = tickets_.at(newest);
      if (script_.choose(8) == 7) ticket.at(script_.choose(ticket.size())) ^= std::byte{1};
      writer.add(attribute::mobility_ticket, Bytes{ticket});
    }
    if (method == stun::Method::refresh && script_.choose(2) == 0) {
      writer.add(attribute::requested_address_family, families.at(script_.choose(2)));
    }
    if (method == stun::Method::channel_bind) {
      const auto number = static_cast<std::uint16_t>(0x4000 + script_.choose(3));
      writer.add(attribute::channel_number, stun::ChannelNumber::from(number).value());
    }
    if (method == stun::Method::refresh || method == stun::Method::allocate) {
      constexpr std::array lifetimes{0s, 1s, 700s, 5000s};
      if (const auto pick = script_.choose(6); pick < 4) {
        writer.add(attribute::lifetime, lifetimes.at(pick));
      }
      return;
    }
    const auto count = method == stun::Method::channel_bind ? 1 : script_.choose(4);
    for (unsigned i = 0; i < count; ++i) {
      writer.add(attribute::xor_peer_address, peers.at(script_.choose(peers.size())));
    }
  }

  // Combinations that are refused too.
  void add_wishes(stun::MessageWriter& writer) {
    if (script_.choose(2) == 0) writer.add(attribute::mobility_ticket, Bytes{});
    const auto wishes = script_.choose(16);
    if ((wishes & 1U) != 0) {
      writer.add(attribute::requested_address_family, families.at(script_.choose(2)));
    }
    if ((wishes & 2U) != 0) writer.add(attribute::additional_address_family, Family::ipv6);
    if ((wishes & 4U) != 0) writer.add(attribute::even_port, {script_.choose(2) == 0});
    if ((wishes & 8U) != 0 && !tokens_.empty()) {
      const auto newest = tokens_.size() - 1 - script_.choose(4) % tokens_.size();
      writer.add(attribute::reservation_token, tokens_.at(newest));
    }
  }

  void send_to_peer() {
    const auto client = script_.choose(client_count);
    const auto from = path(client);
    auto& shard = shard_of(client);
    std::array<std::byte, 256> buffer{};
    if (script_.choose(2) == 0) {
      store_u16(buffer, static_cast<std::uint16_t>(0x4000 + script_.choose(3)));
      shard.engine.on_client_message(from, Bytes{buffer}.first(4), now_, shard.out);
    } else {
      stun::MessageWriter writer{buffer, stun::Method::send, stun::Class::indication,
                                 stun::TransactionId::from_random(std::array<std::byte, 12>{})};
      writer.add(attribute::xor_peer_address, peers.at(script_.choose(peers.size())))
          .add(attribute::data, script_.take(5));
      if (script_.choose(2) == 0) writer.add(attribute::dont_fragment, {});
      shard.engine.on_client_message(from, writer.finish(), now_, shard.out);
    }
    settle(shard);
  }

  void receive_from_peer() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    auto& shard = any_shard();
    shard.engine.on_peer_datagram(relay, peers.at(script_.choose(peers.size())), script_.take(5),
                                  now_, shard.out);
    settle(shard);
  }

  void receive_error() {
    const RelayId relay{script_.choose(4), script_.choose(3)};
    const stun::Icmp icmp{static_cast<std::uint8_t>(script_.choose(13)),
                          static_cast<std::uint8_t>(script_.choose(5)), 1400};
    auto& shard = any_shard();
    shard.engine.on_peer_error(relay, {peers.at(script_.choose(peers.size())), icmp}, now_,
                               shard.out);
    for (const auto& send : shard.out.sends()) {
      promise(send.from.kind != SocketRef::Kind::relay, "an ICMP error is told to clients alone");
    }
    settle(shard);
  }

  void pass_time() {
    constexpr std::array steps{1s, 299s, 300s, 600s, 3600s};
    const auto time = steps.at(script_.choose(steps.size()));
    now_.steady += time;
    now_.wall += time;
    if (script_.choose(2) == 0) advance();
  }

  void anything() {
    const auto client = script_.choose(client_count);
    const auto from = path(client);
    auto& shard = shard_of(client);
    switch (script_.choose(4)) {
      case 0:
        shard.engine.on_client_closed(from, now_, shard.out);
        break;
      case 1:
        return repeat();
      default:
        shard.engine.on_client_message(from, script_.take(64), now_, shard.out);
    }
    settle(shard);
  }

  std::array<std::vector<std::byte>, client_count> repeated_;  // by client
  std::uint32_t transaction_ = 0;
};

}  // namespace
}  // namespace yuelao::turn::fuzzed

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  yuelao::turn::fuzzed::Driver{std::as_bytes(std::span{data, size})}.run();
  return 0;
}
