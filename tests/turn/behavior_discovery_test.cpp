// NAT behaviour discovery (RFC 5780): which way an answer takes, what it says, how long it is.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::behavior_discovery_test {
namespace {

using stun::ChangeRequest;

// A1 and A2 of each family, with P1 and P2.
constexpr std::array ports{std::uint16_t{3478}, std::uint16_t{3479}};
const std::array<std::array<IpAddress, 2>, 2> addresses{{
    {address("198.51.100.1"), address("198.51.100.2")},
    {address("2001:470:1::1"), address("2001:470:1::2")},
}};

struct Site {
  std::size_t family;
  std::size_t which_address;
  std::size_t which_port;

  Endpoint endpoint() const {
    return {addresses.at(family).at(which_address), ports.at(which_port)};
  }
  SocketRef socket() const {
    return SocketRef::listener(
        static_cast<std::uint32_t>(4 * family + 2 * which_address + which_port));
  }
  Site changed(ChangeRequest change) const {
    return {family, change.change_ip ? 1 - which_address : which_address,
            change.change_port ? 1 - which_port : which_port};
  }
};

std::vector<Site> all_sites() {
  std::vector<Site> sites;
  for (const std::size_t family : {0U, 1U}) {
    for (const std::size_t address : {0U, 1U}) {
      for (const std::size_t port : {0U, 1U}) sites.push_back({family, address, port});
    }
  }
  return sites;
}

Options discovery_options() {
  auto options = default_options();
  for (const auto& family : addresses) {
    for (const auto& one : family) options.behavior_discovery.addresses.push_back({one, one});
  }
  options.behavior_discovery.ports = ports;
  return options;
}

// A server with a listener at every site.
struct Lab : World {
  explicit Lab(const Options& options = discovery_options()) : World{options} {
    for (const auto& site : all_sites()) {
      engine.add_listener(Transport::udp, site.socket(), site.endpoint());
      engine.add_listener(Transport::tcp, {}, site.endpoint());
    }
  }
};

// One that asks at the site.
Client client_at(World& world, const Site& site, Transport transport = Transport::udp) {
  Client client{world, site.family == 0 ? "203.0.112.9:40000" : "[2001:470::9]:40000", transport};
  client.path.tuple.server = site.endpoint();
  if (transport == Transport::udp) client.path.socket = site.socket();
  return client;
}

Client::Fill changing(ChangeRequest change) {
  return [=](stun::MessageWriter& writer) { writer.add(attribute::change_request, change); };
}
Client::Fill to_port(std::uint16_t port) {
  return [=](stun::MessageWriter& writer) { writer.add(attribute::response_port, port); };
}
Client::Fill padded(std::size_t size) {
  return [=](stun::MessageWriter& writer) { writer.add_zeros(attribute::padding.type, size); };
}
Client::Fill value(stun::AttributeType type, std::size_t size) {
  return [=](stun::MessageWriter& writer) {
    writer.add(stun::Attribute<Bytes>{type}, Octets(size, std::byte{0xFF}));
  };
}

std::optional<Sent> ask(Client& client, const Client::Fill& fill = {}) {
  return client.unsigned_request(Method::binding, fill);
}

const Site primary{0, 0, 0};

}  // namespace

TEST_CASE("the answer leaves from where CHANGE-REQUEST asks for") {  // RFC 5780 §6.1, Table 1
  Lab lab;
  for (const auto& site : all_sites()) {
    for (const auto change : {ChangeRequest{false, false}, ChangeRequest{true, false},
                              ChangeRequest{false, true}, ChangeRequest{true, true}}) {
      CAPTURE(site.endpoint().to_string());
      CAPTURE(change.change_ip);
      CAPTURE(change.change_port);
      auto client = client_at(lab, site);
      const auto answer = ask(client, changing(change));
      REQUIRE(code_of(answer) == 0);
      const auto from = site.changed(change);
      CHECK(answer->from == from.socket());
      CHECK(answer->source == from.endpoint().address);
      CHECK(answer->to == client.path.tuple.client);
      const auto message = answer->message();
      CHECK(message.get(attribute::response_origin) == from.endpoint());
      CHECK(message.get(attribute::other_address) == site.changed({true, true}).endpoint());
    }
  }
}

TEST_CASE("a Binding without any of its attributes is told the same") {  // RFC 5780 §6.1
  Lab lab;
  for (const auto& site : all_sites()) {
    for (const auto transport : {Transport::udp, Transport::tcp}) {
      auto client = client_at(lab, site, transport);
      const auto answer = ask(client);
      REQUIRE(code_of(answer) == 0);
      CHECK(answer->from == client.path.socket);
      CHECK(answer->to == client.path.tuple.client);
      const auto message = answer->message();
      CHECK(message.get(attribute::mapped_address) == client.path.tuple.client);
      CHECK(message.get(attribute::xor_mapped_address) == client.path.tuple.client);
      CHECK(message.get(attribute::response_origin) == site.endpoint());
      CHECK(message.get(attribute::other_address) == site.changed({true, true}).endpoint());
      CHECK_FALSE(message.has(attribute::padding.type));
    }
  }
}

TEST_CASE("over TLS nothing is told of another address") {  // RFC 5780 §6: ports of its own
  Lab lab;
  auto client = client_at(lab, primary, Transport::tls);
  const auto answer = ask(client);
  REQUIRE(code_of(answer) == 0);
  CHECK_FALSE(answer->message().has(attribute::other_address.type));
  CHECK(code_of(ask(client, changing({true, true}))) == 420);
}

TEST_CASE("a stream has but one way back") {  // RFC 5780 §3.2, §3.3, §3.5: UDP alone
  Lab lab;
  auto client = client_at(lab, primary, Transport::tcp);
  CHECK(code_of(ask(client, changing({.change_ip = true}))) == 420);
  CHECK(code_of(ask(client, changing({.change_port = true}))) == 420);
  CHECK(code_of(ask(client, to_port(40001))) == 420);
  CHECK(code_of(ask(client, padded(1500))) == 420);
}

TEST_CASE("a listener without an address answers from the one that was asked for") {
  World world{discovery_options()};
  for (const std::uint32_t i : {0U, 1U}) {
    world.engine.add_listener(Transport::udp, SocketRef::listener(i),
                              {address("0.0.0.0"), ports.at(i)});
  }
  auto client = client_at(world, primary);
  client.path.socket = SocketRef::listener(0);
  auto answer = ask(client, changing({.change_ip = true}));
  CHECK(answer->from == SocketRef::listener(0));
  CHECK(answer->source == addresses[0][1]);
  answer = ask(client, changing({.change_ip = true, .change_port = true}));
  CHECK(answer->from == SocketRef::listener(1));
  CHECK(answer->source == addresses[0][1]);

  // The kernel gives it what comes to that address, and whoever answers has to be the same.
  world.engine.add_listener(Transport::udp, SocketRef::listener(7), {addresses[0][1], ports[1]});
  world.engine.add_listener(Transport::udp, SocketRef::listener(8), {address("0.0.0.0"), ports[1]});
  CHECK(ask(client, changing({true, true}))->from == SocketRef::listener(7));
}

TEST_CASE("behind a 1:1 NAT clients are told the public addresses") {
  auto options = discovery_options();
  options.behavior_discovery.addresses[0].advertised = address("203.0.113.5");
  options.behavior_discovery.addresses[1].advertised = address("203.0.113.6");
  Lab lab{options};
  auto client = client_at(lab, primary);
  const auto answer = ask(client, changing({.change_ip = true}));
  CHECK(answer->source == addresses[0][1]);
  CHECK(answer->message().get(attribute::response_origin) == endpoint("203.0.113.6:3478"));
  CHECK(answer->message().get(attribute::other_address) == endpoint("203.0.113.6:3479"));
}

TEST_CASE("without four listeners there is no OTHER-ADDRESS, and 420") {  // RFC 5780 §6
  struct Row {
    std::string_view what;
    Options options;
    std::size_t listeners;
    Endpoint asked;
  };
  const Row rows[] = {
      {"not configured", default_options(), 4, primary.endpoint()},
      {"a listener is missing", discovery_options(), 3, primary.endpoint()},
      {"another port", discovery_options(), 4, {addresses[0][0], 3480}},
      {"another address", discovery_options(), 4, {address("198.51.100.3"), 3478}},
      {"the other family", discovery_options(), 4, Site{1, 0, 0}.endpoint()},
  };
  for (const auto& [what, options, listeners, asked] : rows) {
    CAPTURE(what);
    World world{options};
    const auto sites = all_sites();
    for (std::size_t i = 0; i < listeners; ++i) {
      world.engine.add_listener(Transport::udp, sites[i].socket(), sites[i].endpoint());
    }
    auto client = client_at(world, primary);
    client.path.tuple.server = asked;
    const auto plain = ask(client);
    REQUIRE(code_of(plain) == 0);
    for (const auto type : {attribute::other_address.type, attribute::response_origin.type,
                            attribute::mapped_address.type}) {
      CHECK_FALSE(plain->message().has(type));
    }
    const std::pair<Client::Fill, stun::AttributeType> refused[] = {
        {changing({.change_ip = true}), attribute::change_request.type},
        {changing({.change_port = true}), attribute::change_request.type},
        {to_port(40001), attribute::response_port.type},
        {padded(1000), attribute::padding.type},
    };
    for (const auto& [fill, type] : refused) {
      const auto answer = ask(client, fill);
      REQUIRE(code_of(answer) == 420);
      const auto unknown = answer->message().get(attribute::unknown_attributes).value();
      CHECK(std::ranges::equal(unknown.list(), std::array{type}));
    }
  }
}

TEST_CASE(
    "RESPONSE-PORT moves the answer to another port of the client's address") {  // RFC 5780 §7.5
  Lab lab;
  for (const auto& site : {primary, Site{1, 1, 1}}) {
    auto client = client_at(lab, site);
    auto to = client.path.tuple.client;
    for (const std::uint16_t port : {std::uint16_t{1024}, std::uint16_t{65535}}) {
      const auto answer = ask(client, to_port(port));
      REQUIRE(code_of(answer) == 0);
      to.port = port;
      CHECK(answer->to == to);
      CHECK(answer->from == site.socket());
      // What the client is seen as is where it asked from.
      CHECK(answer->message().get(attribute::xor_mapped_address) == client.path.tuple.client);
      CHECK(answer->message().get(attribute::mapped_address) == client.path.tuple.client);
    }
    const auto both = ask(client, [](stun::MessageWriter& writer) {
      writer.add(attribute::response_port, 40001).add(attribute::change_request, {true, true});
    });
    CHECK(both->to.port == 40001);
    CHECK(both->from == site.changed({true, true}).socket());
  }
}

TEST_CASE("what is refused goes back where it came from") {
  struct Row {
    std::string_view what;
    Client::Fill fill;
  };
  const Row rows[] = {
      // RFC 5780 §6.1 and §7.5: a long answer to a port that did not ask for it
      {"PADDING beside RESPONSE-PORT",
       [](stun::MessageWriter& writer) {
         writer.add_zeros(attribute::padding.type, 1500).add(attribute::response_port, 40001);
       }},
      {"a malformed RESPONSE-PORT beside PADDING",
       [](stun::MessageWriter& writer) {
         writer.add_zeros(attribute::response_port.type, 1).add_zeros(attribute::padding.type, 999);
       }},
      {"a port of somebody else's service", to_port(1023)},
      {"port 0", to_port(0)},
      {"RESPONSE-PORT without a port", value(attribute::response_port.type, 1)},
      {"CHANGE-REQUEST of 3 octets", value(attribute::change_request.type, 3)},
      {"CHANGE-REQUEST of 8 octets", value(attribute::change_request.type, 8)},
  };
  for (const auto& [what, fill] : rows) {
    CAPTURE(what);
    Lab lab;
    auto client = client_at(lab, primary);
    const auto answer = ask(client, fill);
    REQUIRE(code_of(answer) == 400);
    CHECK(answer->from == primary.socket());
    CHECK(answer->to == client.path.tuple.client);
    CHECK_FALSE(answer->message().has(attribute::padding.type));
  }
}

TEST_CASE("an unknown attribute is told to the port that asked") {
  Lab lab;
  auto client = client_at(lab, primary);
  const auto answer = ask(client, [](stun::MessageWriter& writer) {
    writer.add(attribute::response_port, 40001).add(stun::Attribute<Bytes>{{0x7F01}}, Bytes{});
  });
  CHECK(code_of(answer) == 420);
  CHECK(answer->to == client.path.tuple.client);
}

TEST_CASE("PADDING is answered with as much as came") {  // RFC 5780 §6.1, §7.6
  Lab lab;
  for (const auto& site : {primary, Site{1, 0, 0}}) {
    for (const bool fingerprint : {false, true}) {
      auto client = client_at(lab, site);
      client.fingerprint = fingerprint;
      for (const std::size_t size : {100U, 101U, 548U, 1280U, 1500U}) {
        CAPTURE(size);
        const auto request = client.compose(Method::binding, padded(size));
        const auto sent = client.send(request);
        REQUIRE(sent.size() == 1);
        const auto message = sent[0].message();
        CHECK(message.message_class() == stun::Class::success);
        CHECK(message.get(attribute::padding).value().size() % 4 == 0);
        CHECK(message.has_fingerprint() == fingerprint);
        CHECK(sent[0].bytes.size() == std::min(request.size(), Outbox::message_limit));
      }
    }
  }
}

TEST_CASE("PADDING in a request that is shorter than its answer is met with silence") {
  Lab lab;
  std::uint64_t dropped = 0;
  for (const auto& site : {primary, Site{1, 0, 0}}) {
    auto client = client_at(lab, site);
    for (std::size_t size = 0; size <= 120; size += 4) {
      const auto request = client.compose(Method::binding, padded(size));
      const auto sent = client.send(request);
      if (sent.empty()) ++dropped;
      for (const auto& answer : sent) CHECK(answer.bytes.size() == request.size());
      CHECK(lab.drops(Drop::short_padding) == dropped);
    }
    CHECK(client.send(client.compose(Method::binding, padded(120))).size() == 1);
  }
  CHECK(dropped > 0);
}

TEST_CASE("no attribute makes an answer longer than that to a bare Binding, or its request") {
  Lab lab;
  for (const auto& site : {primary, Site{1, 0, 0}}) {
    auto client = client_at(lab, site);
    const auto bare = client.send(client.compose(Method::binding)).at(0).bytes.size();
    CHECK(bare == (site.family == 0 ? 68 : 116));
    const Client::Fill fills[] = {
        changing({true, true}),
        to_port(40001),
        padded(4),
        padded(1500),
        [](stun::MessageWriter& writer) {
          writer.add(attribute::change_request, {true, true}).add_zeros(attribute::padding.type, 8);
        },
        [](stun::MessageWriter& writer) {
          writer.add(attribute::response_port, 40001).add_zeros(attribute::padding.type, 1500);
        },
        [](stun::MessageWriter& writer) {
          writer.add(attribute::response_port, 1).add(attribute::change_request, {true, true});
        },
    };
    for (const auto& fill : fills) {
      const auto request = client.compose(Method::binding, fill);
      for (const auto& sent : client.send(request)) {
        CHECK(sent.bytes.size() <= std::max(request.size(), bare));
      }
    }
  }
}

TEST_CASE("a classic client is served as RFC 8489 has it, and no more") {  // RFC 5780 §3
  Lab lab;
  auto client = client_at(lab, primary);
  for (const auto& [change, code] :
       {std::pair{ChangeRequest{}, 0}, std::pair{ChangeRequest{true, true}, 420}}) {
    auto request = client.compose(Method::binding, changing(change));
    request[4] = std::byte{0};  // no magic cookie
    const auto answer = client.send(request).at(0);
    CHECK(code_of(answer) == code);
    CHECK(answer.from == primary.socket());
    CHECK_FALSE(answer.message().has(attribute::other_address.type));
  }
}

TEST_CASE("ALTERNATE-SERVER never stands beside OTHER-ADDRESS") {  // RFC 5780 §6.1
  auto options = discovery_options();
  options.alternate_server.addresses = {endpoint("203.0.113.6:3478")};
  Lab lab{options};
  lab.engine.drain();
  auto client = client_at(lab, primary);
  const auto answer = ask(client, changing({true, true}));
  CHECK(code_of(answer) == 0);
  CHECK_FALSE(answer->message().has(attribute::alternate_server.type));
  const auto refused = client.request(Method::allocate, requesting_udp());
  CHECK(code_of(refused) == 300);
  CHECK(refused->message().has(attribute::alternate_server.type));
  for (const auto type : {attribute::other_address.type, attribute::response_origin.type,
                          attribute::mapped_address.type, attribute::padding.type}) {
    CHECK_FALSE(refused->message().has(type));
  }
}

TEST_CASE("a relay is opened at the second address and port like at the first") {
  Lab lab;
  for (const auto& site : all_sites()) {
    auto client = client_at(lab, site);
    client.allocate();
    CHECK(code_of(client.request(Method::refresh, [](stun::MessageWriter& writer) {
            writer.add(attribute::lifetime, 0s);
          })) == 0);
  }
}

}  // namespace yuelao::turn::test::behavior_discovery_test
