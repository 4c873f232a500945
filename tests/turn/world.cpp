#include "tests/turn/world.hpp"

#include <algorithm>
#include <stdexcept>

#include <doctest/doctest.h>

#include "protocol/stun/credentials.hpp"

namespace yuelao::turn::test {

Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }
IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

Octets octets(std::string_view text) {
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

Options default_options() {
  Options options;
  options.nonce_key = Secret{"0123456789abcdef0123456789abcdef"};
  options.credentials.users = {{"alice", Secret{"wonderland"}}, {"bob", Secret{"builder"}}};
  options.credentials.rest_secrets = {Secret{"old-secret"}, Secret{"new-secret"}};
  options.relay_addresses = {{address("198.51.100.1"), address("198.51.100.1")},
                             {address("2001:470:1::1"), address("2001:470:1::1")}};
  options.peers.own_addresses = {address("198.51.100.1"), address("2001:470:1::1")};
  options.peers.allow_ports = {{1, 1023}};  // tests' peers have short ones
  options.limits.strangers = unlimited;     // tests ask more than clients do
  return options;
}

stun::Message Sent::message() const {
  const auto parsed = stun::Message::parse(bytes);
  if (!parsed) throw std::runtime_error{"the engine sent what is not STUN"};
  return *parsed;
}

World::World(const Options& options)
    : quota{options.limits},
      directory{options.relay_addresses},
      engine{options, {quota, directory, reservations, roaming, bandwidth}, random},
      options_{options} {}

World::World(const Options& options, Shared shared)
    : quota{options.limits},
      directory{shared.directory},
      engine{options, shared, random},
      options_{options},
      shard_{shared.shard} {}

std::vector<Sent> World::from_client(const ClientPath& path, Bytes message) {
  return give(input::ClientMessage{path, message});
}

std::vector<Sent> World::from_peer(RelayId relay, const Endpoint& peer, std::string_view payload) {
  return give(input::PeerDatagram{relay, peer, as_bytes(payload)});
}

std::vector<Sent> World::peer_error(RelayId relay, const PeerError& error) {
  return give(input::IcmpError{relay, error});
}

std::vector<Sent> World::handover(const HandedOver& letter) {
  return give(Handover{letter.shard, letter.relay, letter.source, letter.payload});
}

std::vector<Sent> World::forward(const Forwarded& message) {
  auto letter = message.letter;
  letter.payload = message.payload;
  return give(letter);
}

std::vector<Sent> World::relay_opened(RelayId id, std::expected<Endpoint, RelayFailure> outcome) {
  if (outcome) opened.push_back(id);
  return give(input::RelayOpened{id, outcome});
}

std::vector<Sent> World::peer_connected(ConnectionId id,
                                        std::expected<void, ConnectFailure> outcome) {
  return give(input::PeerConnected{id, outcome});
}

World::Accepted World::peer_accepted(RelayId relay, std::string_view peer) {
  const auto said = enter(input::PeerAccepted{relay, endpoint(peer)});
  return {said.accepted, finish()};
}

void World::connection_ended(ConnectionId id) { CHECK(give(input::ConnectionEnded{id}).empty()); }

void World::client_closed(const ClientPath& path) {
  CHECK(give(input::ClientClosed{path}).empty());
}

void World::pass(std::chrono::seconds time) { CHECK(pass_and_hear(time).empty()); }

std::vector<Sent> World::pass_and_hear(std::chrono::seconds time) {
  pass_silently(time);
  return give(input::Advance{});
}

void World::pass_silently(std::chrono::seconds time) {
  now.steady += time;
  now.wall += time;
}

void World::close_all() { CHECK(give(input::CloseAll{}).empty()); }

void World::readdress(const Options& options) {
  options_ = options;
  CHECK(give(input::Readdress{options.relay_addresses}).empty());
  auto own = directory.addresses();
  options_.peers.own_addresses.insert(options_.peers.own_addresses.end(), own.begin(), own.end());
  reconfigure(options_);
}

void World::reconfigure(const Options& options) {
  CHECK(give(input::Reconfigure{options}).empty());
}

void World::drain() { CHECK(give(input::Drain{}).empty()); }

void World::add_listener(Transport transport, SocketRef listener, const Endpoint& local) {
  CHECK(give(input::AddListener{transport, listener, local}).empty());
}

bool World::carries_data(ConnectionId id) { return enter(input::CarriesData{id}).carries_data; }

std::chrono::nanoseconds World::data_carried(ConnectionId id, Way way, std::uint64_t octets) {
  return enter(input::DataCarried{id, way, octets}).rest;
}

std::vector<Sent> World::give(const Input& input) {
  enter(input);
  return finish();
}

Said World::enter(const Input& input) {
  const Host host{shard_, engine, directory};
  return recorder != nullptr ? recorder->enter(host, input, now, out_)
                             : test::give(host, input, now, out_);
}

// As a shard does: sends first, then commands, whose outcomes may send again.
std::vector<Sent> World::finish() {
  std::vector<Sent> sent;
  collect(sent);
  while (!out_.commands().empty()) {
    for (const auto& command : out_.take_commands()) {
      carry_out(command);
      collect(sent);
    }
  }
  CHECK(engine.consistent());
  return sent;
}

// After each input.
void World::collect(std::vector<Sent>& sent) {
  CHECK(out_.sends().size() + out_.handovers().size() + out_.forwards().size() <= 1);
  for (const auto& forward : out_.forwards()) {
    forwarded.push_back({forward, {forward.payload.begin(), forward.payload.end()}});
  }
  for (const auto& [shard, relay, source, payload] : out_.handovers()) {
    handed_over.push_back({shard, relay, source, {payload.begin(), payload.end()}});
  }
  for (const auto& send : out_.sends()) {
    Octets bytes{send.prefix.begin(), send.prefix.end()};
    bytes.insert(bytes.end(), send.payload.begin(), send.payload.end());
    bytes.resize(bytes.size() + send.padding);
    sent.push_back({send.from, send.to, std::move(bytes), send.dont_fragment, send.source});
  }
  out_.clear_sends();
}

void World::carry_out(const Command& command) {
  if (const auto* relay = std::get_if<OpenRelay>(&command)) open(*relay);
  if (const auto* reserved = std::get_if<OpenReserved>(&command)) open(*reserved);
  if (const auto* close = std::get_if<CloseRelay>(&command)) closed.push_back(close->id);
  if (const auto* close = std::get_if<CloseReserved>(&command)) {
    held.erase(close->token);
    closed_reserved.push_back(close->token);
  }
  if (const auto* peer = std::get_if<ConnectPeer>(&command)) connect(*peer);
  if (const auto* late = std::get_if<CancelConnect>(&command)) {
    enter(input::PeerConnected{late->id, std::unexpected{ConnectFailure::timed_out}});
  }
  if (const auto* bind = std::get_if<BindPeer>(&command)) binds.push_back(*bind);
  if (const auto* close = std::get_if<ClosePeer>(&command)) closed_peers.push_back(close->id);
  if (const auto* move = std::get_if<MoveClient>(&command)) moved.push_back(*move);
  if (const auto* notice = std::get_if<Notice>(&command)) notices.push_back(*notice);
}

void World::open(const OpenRelay& command) {
  opening.push_back(command);
  if (relays == Relays::wait) return;
  if (relays == Relays::fail) {
    enter(input::RelayOpened{command.id, std::unexpected{failure}});
    return;
  }
  const auto bound = std::ranges::find(options_.relay_addresses, command.family,
                                       [](const auto& a) { return a.bound.family(); });
  if (command.parity == Parity::even && next_port % 2 != 0) ++next_port;
  const Endpoint relay{bound->bound, next_port++};
  if (command.reserve_next) held[*command.reserve_next] = {bound->bound, next_port++};
  opened.push_back(command.id);
  enter(input::RelayOpened{command.id, relay});
}

void World::open(const OpenReserved& command) {
  auto reserved = held.extract(command.token);
  REQUIRE_FALSE(reserved.empty());
  if (relays == Relays::fail) {
    enter(input::RelayOpened{command.id, std::unexpected{failure}});
    return;
  }
  opened.push_back(command.id);
  enter(input::RelayOpened{command.id, reserved.mapped()});
}

void World::connect(const ConnectPeer& command) {
  connecting.push_back(command);
  if (peers == Peers::wait) return;
  std::expected<void, ConnectFailure> outcome;
  if (peers == Peers::refuse) outcome = std::unexpected{connect_failure};
  enter(input::PeerConnected{command.id, outcome});
}

Client::Client(World& world, std::string_view address, Transport transport) : world_{world} {
  path.tuple.transport = transport;
  path.tuple.client = endpoint(address);
  const bool v4 = path.tuple.client.address.family() == Family::ipv4;
  path.tuple.server = v4 ? server_v4 : server_v6;
  path.socket = transport == Transport::udp    ? SocketRef::listener(0)
                : transport == Transport::dtls ? SocketRef::association(7, 1)
                                               : SocketRef::stream(7, 1);
}

Octets Client::compose(Method method, const Fill& fill) {
  Octets buffer(4096);
  std::array<std::byte, 12> id{};
  store_u32(id, ++transactions_);
  store_u16(MutableBytes{id}.subspan(4), path.tuple.client.port);
  stun::MessageWriter writer{buffer, method, stun::Class::request,
                             stun::TransactionId::from_random(id)};
  if (fill) fill(writer);
  if (!nonce.empty()) sign(writer);
  if (fingerprint) writer.add_fingerprint();
  buffer.resize(writer.finish().size());
  return buffer;
}

void Client::sign(stun::MessageWriter& writer) const {
  if (anonymous) {
    writer.add(attribute::userhash, stun::user_hash(user, realm));
  } else {
    writer.add(attribute::username, std::string_view{user});
  }
  writer.add(attribute::realm, std::string_view{realm})
      .add(attribute::nonce, std::string_view{nonce});
  if (!algorithm) {
    writer.add_integrity(stun::long_term_key(user, realm, password));
    return;
  }
  const stun::LongTermKey key{*algorithm, user, realm, password};
  writer
      .add(stun::Attribute<Bytes>{attribute::password_algorithms.type},
           Authentication::offered_algorithms())
      .add(attribute::password_algorithm, {static_cast<std::uint16_t>(*algorithm), {}})
      .add_integrity_sha256(key.bytes());
}

std::optional<Sent> Client::unsigned_request(Method method, const Fill& fill) {
  const auto kept = std::exchange(nonce, {});
  const auto message = compose(method, fill);
  nonce = kept;
  const auto sent = send(message);
  CHECK(sent.size() <= 1);
  return sent.empty() ? std::nullopt : std::optional{sent.front()};
}

std::optional<Sent> Client::request(Method method, const Fill& fill) {
  if (nonce.empty()) {
    const auto challenge = unsigned_request(method, fill);
    if (!challenge) return std::nullopt;
    learn(*challenge);
  }
  const auto sent = send(compose(method, fill));
  CHECK(sent.size() <= 1);
  return sent.empty() ? std::nullopt : std::optional{sent.front()};
}

void Client::learn(const Sent& challenge) {
  realm = challenge.message().get(attribute::realm).value();
  nonce = challenge.message().get(attribute::nonce).value();
}

Endpoint Client::allocate() { return allocate(requesting_udp()); }

Endpoint Client::allocate(const Fill& fill) {
  const auto answer = request(Method::allocate, fill);
  if (code_of(answer) != 0) throw std::runtime_error{"Allocate was refused"};
  relay = world_.opened.back();
  return answer->message().get(attribute::xor_relayed_address).value();
}

void Client::permit(std::string_view peer) {
  if (code_of(request(Method::create_permission, to_peer(peer))) != 0) {
    throw std::runtime_error{"CreatePermission was refused"};
  }
}

void Client::bind(std::uint16_t channel, std::string_view peer) {
  if (code_of(request(Method::channel_bind, to_channel(channel, peer))) != 0) {
    throw std::runtime_error{"ChannelBind was refused"};
  }
}

std::vector<Sent> Client::send_data(std::string_view peer, std::string_view payload,
                                    const Fill& fill) {
  Octets buffer(4096);
  stun::MessageWriter writer{buffer, Method::send, stun::Class::indication,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  writer.add(attribute::xor_peer_address, endpoint(peer)).add(attribute::data, as_bytes(payload));
  if (fill) fill(writer);
  return send(writer.finish());
}

std::vector<Sent> Client::channel_data(std::uint16_t channel, std::string_view payload) {
  Octets message(4);
  store_u16(message, channel);
  store_u16(MutableBytes{message}.subspan(2), static_cast<std::uint16_t>(payload.size()));
  const auto data = octets(payload);
  message.insert(message.end(), data.begin(), data.end());
  return send(message);
}

int code_of(const std::optional<Sent>& answer) {
  if (!answer) return -1;
  const auto message = answer->message();
  if (message.message_class() == stun::Class::success) return 0;
  return message.get(attribute::error_code).value().code;
}

std::string rest_name(const World& world, std::chrono::seconds from_now, std::string_view rest) {
  return std::to_string((world.now.wall + from_now).time_since_epoch().count()) + std::string{rest};
}

void use_rest(Client& client, std::string_view secret, const std::string& name) {
  client.user = name;
  client.password = stun::rest_password(secret, name);
}

Client::Fill requesting_udp() {
  return [](stun::MessageWriter& writer) {
    writer.add(attribute::requested_transport, std::uint8_t{17});
  };
}

Client::Fill requesting_tcp() {
  return [](stun::MessageWriter& writer) {
    writer.add(attribute::requested_transport, std::uint8_t{6});
  };
}

Client::Fill to_peer(std::string_view peer) {
  return [peer = endpoint(peer)](stun::MessageWriter& writer) {
    writer.add(attribute::xor_peer_address, peer);
  };
}

Client::Fill to_channel(std::uint16_t channel, std::string_view peer) {
  return [channel, peer = endpoint(peer)](stun::MessageWriter& writer) {
    // Written as it is, so that tests can ask for numbers that are none.
    const std::array<std::byte, 4> value{static_cast<std::byte>(channel >> 8U),
                                         static_cast<std::byte>(channel & 0xFFU)};
    writer.add(stun::Attribute<Bytes>{attribute::channel_number.type}, Bytes{value})
        .add(attribute::xor_peer_address, peer);
  };
}

}  // namespace yuelao::turn::test
