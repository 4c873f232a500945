// Special-purpose addresses and ports of services are no peers, through whichever door.

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "protocol/turn/peer_ports.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::forbidden_peers_test {
namespace {

constexpr auto registry = YUELAO_TEST_DIR "/vectors/special_purpose.txt";

std::vector<IpRange> special_purpose_blocks() {
  std::ifstream file{registry};
  std::vector<IpRange> blocks;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    const auto block = IpRange::parse(line);
    CAPTURE(line);
    REQUIRE(block);
    blocks.push_back(*block);
  }
  return blocks;
}

// The address one above or one below, within the family; none at the very ends.
std::optional<IpAddress> neighbour(const IpAddress& address, int step) {
  std::array<std::uint8_t, 16> octets{};
  const auto size = address.octets().size();
  std::ranges::copy(address.octets(), octets.begin());
  const std::uint8_t wraps_from = step > 0 ? 0xFF : 0x00;
  std::size_t at = size;
  while (at > 0 && octets[at - 1] == wraps_from) {
    octets[--at] = static_cast<std::uint8_t>(wraps_from + step);
  }
  if (at == 0) return std::nullopt;
  octets[at - 1] = static_cast<std::uint8_t>(octets[at - 1] + step);
  if (size == 16) return IpAddress::v6(octets);
  return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
}

// Every way to write an IPv4 address into an IPv6 one.
std::vector<IpAddress> spellings(const IpAddress& address) {
  if (address.family() == Family::ipv6) return {address};
  const auto v4 = address.octets();
  const auto behind = [&](std::string_view prefix, std::size_t at) {
    auto octets = std::array<std::uint8_t, 16>{};
    std::ranges::copy(IpAddress::parse(prefix).value().octets(), octets.begin());
    std::ranges::copy(v4, octets.begin() + static_cast<std::ptrdiff_t>(at));
    return IpAddress::v6(octets);
  };
  return {address,
          behind("::ffff:0:0", 12),           // IPv4-mapped: the same address
          behind("::", 12),                   // IPv4-compatible
          behind("::ffff:0:0:0", 12),         // IPv4-translated
          behind("64:ff9b::", 12),            // NAT64
          behind("64:ff9b:1::", 12),          // NAT64, local use
          behind("2002::", 2),                // 6to4
          behind("2001::", 12),               // Teredo
          behind("2600::5efe:0:0", 12),       // ISATAP behind a public prefix
          behind("2600::200:5efe:0:0", 12)};  // the same, with the global bit
}

// A client with relays of both families for each transport, whose world limits nothing else.
struct Doors {
  explicit Doors(const Options& options = doors_options()) : world{options} {
    udp.allocate([](stun::MessageWriter& writer) {
      requesting_udp()(writer);
      writer.add(attribute::additional_address_family, Family::ipv6);
    });
    relay_of_udp = udp.relay;
    tcp4.allocate(requesting_tcp());
    tcp6.allocate(requesting_tcp());
  }
  static Options doors_options() {
    auto options = default_options();
    options.tcp_relays = true;
    options.limits.new_peers_per_allocation = 0;
    options.limits.new_peers_per_prefix = 0;
    options.peers.allow_ports = {};
    return options;
  }

  int permission(const std::string& peer) {
    return code_of(udp.request(Method::create_permission, to_peer(peer)));
  }
  int permission_beside_a_legal_peer(const std::string& peer) {
    return code_of(udp.request(Method::create_permission, [&](stun::MessageWriter& writer) {
      writer.add(attribute::xor_peer_address, endpoint("9.9.9.9:50000"));
      writer.add(attribute::xor_peer_address, endpoint(peer));
    }));
  }
  int channel(const std::string& peer) {
    return code_of(udp.request(Method::channel_bind, to_channel(0x4000, peer)));
  }
  int connection(const std::string& peer) {
    auto& client = endpoint(peer).address.family() == Family::ipv4 ? tcp4 : tcp6;
    return code_of(client.request(Method::connect, to_peer(peer)));
  }
  bool sends(const std::string& peer) { return !udp.send_data(peer, "data").empty(); }

  World world;
  Client udp{world, "203.0.112.9:1"};
  Client tcp4{world, "203.0.112.9:2", Transport::tcp};
  Client tcp6{world, "[2600:470::9]:2", Transport::tcp};
  RelayId relay_of_udp;
};

std::string at_port(const IpAddress& address, unsigned number) {
  return Endpoint{address, static_cast<std::uint16_t>(number)}.to_string();
}

}  // namespace

TEST_CASE("both ends of every special-purpose block are refused at every door") {
  const auto blocks = special_purpose_blocks();
  REQUIRE(blocks.size() > 60);
  Doors doors;
  std::size_t tried = 0;
  for (const auto& block : blocks) {
    for (const auto& end : {block.first(), block.last()}) {
      for (const auto& address : spellings(end)) {
        const auto peer = at_port(address, 50000);
        CAPTURE(peer);
        ++tried;
        CHECK(doors.permission(peer) == 403);
        CHECK(doors.permission_beside_a_legal_peer(peer) == 403);
        CHECK(doors.channel(peer) == 403);
        CHECK(doors.connection(peer) == 403);
        CHECK_FALSE(doors.sends(peer));
      }
    }
  }
  MESSAGE(tried << " addresses");
  CHECK(doors.world.connecting.empty());
  // The legal one that was named beside them got no permission either.
  CHECK_FALSE(doors.sends("9.9.9.9:50000"));
}

TEST_CASE("the addresses beside a special-purpose block are refused in other blocks alone") {
  const auto blocks = special_purpose_blocks();
  const PeerPolicy policy{{}};
  std::size_t open = 0;
  for (const auto& block : blocks) {
    for (const auto& beside : {neighbour(block.first(), -1), neighbour(block.last(), 1)}) {
      if (!beside) continue;
      const bool special = std::ranges::any_of(
          blocks, [&](const IpRange& other) { return other.contains(*beside); });
      CAPTURE(beside->to_string());
      CHECK((policy.judge(*beside) == PeerPolicy::Verdict::allowed) == !special);
      open += special ? 0 : 1;
    }
  }
  CHECK(open > 30);
}

TEST_CASE("ports of services are refused where a port is named") {
  Doors doors;
  REQUIRE(doors.permission("9.9.9.9:50000") == 0);
  for (const auto* closed : {":0", ":25", ":53", ":123", ":161", ":389", ":442", ":444", ":1023",
                             ":1900", ":3478", ":5060", ":5353", ":11211"}) {
    CAPTURE(closed);
    const auto peer = std::string{"9.9.9.9"} + closed;
    const auto refused = doors.world.drops(Drop::forbidden_peer);
    CHECK(doors.channel(peer) == 403);
    CHECK_FALSE(doors.sends(peer));
    CHECK(doors.world.drops(Drop::forbidden_peer) == refused + 1);
  }
  for (const auto* open : {":443", ":1024", ":1899", ":1901", ":10000", ":32768", ":65535"}) {
    CAPTURE(open);
    CHECK(doors.sends(std::string{"9.9.9.9"} + open));
  }
  for (const auto* closed : {":22", ":25", ":80", ":3306", ":6379", ":11211"}) {
    CAPTURE(closed);
    CHECK(doors.connection(std::string{"9.9.9.9"} + closed) == 403);
  }
  CHECK(doors.connection("9.9.9.9:443") == 0);
  // What a permission is for is an address (RFC 8656 §9).
  CHECK(doors.permission("8.8.8.8:53") == 0);
}

TEST_CASE("both ends of every range of service ports are refused, and the ports beside it open") {
  for (const auto transport : {RelayTransport::udp, RelayTransport::tcp}) {
    const PeerPorts ports{{}};
    const auto closed = [&](unsigned number) {
      return std::ranges::any_of(service_ports(transport), [&](const PortRange& range) {
        return range.first <= number && number <= range.last;
      });
    };
    for (unsigned number = 0; number <= 0xFFFF; ++number) {
      CAPTURE(number);
      REQUIRE(ports.allow(transport, static_cast<std::uint16_t>(number)) == !closed(number));
    }
    // No peer's port by chance: those that systems hand out (Linux from 32768) stay open.
    CHECK(std::ranges::none_of(service_ports(transport),
                               [](const PortRange& range) { return range.last >= 32768; }));
  }
}

TEST_CASE("a configuration opens ports and closes others") {
  auto options = Doors::doors_options();
  options.peers.allow_ports = {{5060, 5061}, {20000, 20001}};
  options.peers.deny_ports = {{20000, 30000}};
  Doors doors{options};
  REQUIRE(doors.permission("9.9.9.9:50000") == 0);
  CHECK(doors.sends("9.9.9.9:5060"));
  CHECK(doors.sends("9.9.9.9:20001"));
  CHECK_FALSE(doors.sends("9.9.9.9:20002"));
  CHECK_FALSE(doors.sends("9.9.9.9:30000"));
  CHECK(doors.sends("9.9.9.9:30001"));
  CHECK(doors.connection("9.9.9.9:25000") == 403);
  CHECK(doors.connection("9.9.9.9:5061") == 0);
}

TEST_CASE("new rules end channels to ports that are closed now") {
  Doors doors;
  REQUIRE(doors.channel("9.9.9.9:50000") == 0);
  CHECK(doors.udp.channel_data(0x4000, "data").size() == 1);
  auto options = Doors::doors_options();
  options.peers.deny_ports = {{50000, 50000}};
  doors.world.reconfigure(options);
  CHECK(doors.udp.channel_data(0x4000, "data").empty());
  CHECK(doors.sends("9.9.9.9:50001"));
}

TEST_CASE("a relay of this server may have any port") {
  auto options = Doors::doors_options();
  options.peers.deny_ports = {{40000, 65535}};
  World world{options};
  Client first{world, "203.0.112.9:1"};
  Client second{world, "203.0.112.9:2"};
  const auto own = first.allocate().to_string();
  const auto relayed = second.allocate().to_string();
  first.permit(relayed);
  second.permit(own);
  first.bind(0x4000, relayed);
  CHECK(first.channel_data(0x4000, "data").size() == 1);
  CHECK(first.send_data(relayed, "data").size() == 1);
}

TEST_CASE("media-server mode: what is allowed by name, and relays of this server") {
  auto options = Doors::doors_options();
  options.peers.mode = PeerMode::media_server;
  options.peers.allow = {IpRange::parse("10.0.0.20").value()};
  World world{options};
  Client first{world, "203.0.112.9:1"};
  Client second{world, "203.0.112.9:2"};
  first.allocate();
  const auto relayed = second.allocate().to_string();
  const auto code = [&](std::string_view peer) {
    return code_of(first.request(Method::create_permission, to_peer(peer)));
  };
  CHECK(code("10.0.0.20:50000") == 0);
  CHECK(code("10.0.0.21:50000") == 403);
  CHECK(code("9.9.9.9:50000") == 403);
  CHECK(code(relayed) == 0);
  CHECK(code_of(first.request(Method::channel_bind, to_channel(0x4000, relayed))) == 0);
  CHECK(code_of(first.request(Method::channel_bind, to_channel(0x4001, "198.51.100.1:3478"))) ==
        403);
}

TEST_CASE("nobody is a client from a relay of this server") {
  auto options = Doors::doors_options();
  options.mobility = true;
  // The one way to such a request: the operator opens this machine's own addresses.
  options.peers.allow = {IpRange::parse("198.51.100.1").value()};
  World world{options};
  Client outer{world, "203.0.112.9:1"};
  const auto relayed = outer.allocate().to_string();
  Client inner{world, relayed};
  CHECK(code_of(inner.request(Method::allocate, requesting_udp())) == 403);
  CHECK(world.engine.allocation_count() == 1);
  // A socket of this machine's that is no relay is a client like any other.
  Client local{world, "198.51.100.1:40000"};
  local.allocate();
}

}  // namespace yuelao::turn::test::forbidden_peers_test
