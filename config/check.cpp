#include "config/check.hpp"

#include <algorithm>
#include <string>

namespace yuelao::config {
namespace {

// A shared secret signs every credential; below this it can be guessed from one of them.
constexpr std::size_t shortest_secret_bytes = 16;

// Where `section.key` stands, or its section, or the beginning.
Position place(const Element& root, std::string_view section, std::string_view key = {}) {
  const auto* outer = root.find(section);
  if (!outer) return {};
  const auto* inner = outer->find(key);
  return inner ? inner->at : outer->at;
}

// Where the entry of the list `key` with this index stands.
Position item_place(const Element& root, std::string_view key, std::size_t index) {
  const auto* list = root.find(key);
  if (!list) return {};
  return index < list->items.size() ? list->items[index].at : list->at;
}

void doubt_short(const std::vector<Secret>& secrets, const Element& section, std::string_view key,
                 std::vector<Problem>& thoughts) {
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    if (secrets[i].reveal().size() >= shortest_secret_bytes) continue;
    thoughts.push_back({item_place(section, key, i),
                        "this secret can be guessed: `openssl rand -hex 32` makes a better one."});
  }
}

bool overlap(const Listen& a, const Listen& b) {
  return over_udp(a.transport) == over_udp(b.transport) && a.port == b.port &&
         a.address == b.address;
}

Read<void> check_listeners(const Element& root, const Config& config) {
  if (config.listen.empty()) {
    return std::unexpected{
        Problem{place(root, "listen"), "nothing to listen on: name a listener such as udp:3478."}};
  }
  for (std::size_t i = 0; i < config.listen.size(); ++i) {
    const auto& listen = config.listen[i];
    const bool secure = listen.transport == Transport::tls || listen.transport == Transport::dtls;
    if (secure && !config.tls) {
      return std::unexpected{Problem{item_place(root, "listen", i),
                                     "TLS needs a certificate: set `tls.certificate` and "
                                     "`tls.key`, or remove this listener."}};
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (!overlap(listen, config.listen[j])) continue;
      return std::unexpected{
          Problem{item_place(root, "listen", i),
                  "this port is taken by an earlier listener: keep one of the "
                  "two (tcp takes TLS too, and udp DTLS, once a certificate is set)."}};
    }
  }
  return {};
}

// Whoever gets a credential relays; who makes one needs a secret the server knows.
Read<void> check_credential_service(const Element& root, const Config& config) {
  const auto refused = [&](std::string_view key, std::string sentence) {
    return std::unexpected{Problem{place(root, "credentials", key), std::move(sentence)}};
  };
  const auto* section = root.find("credentials");
  const auto& service = config.credentials;
  if (section && !section->members.empty() && !section->find("listen")) {
    return refused({}, "`credentials` needs its `listen`: add 127.0.0.1:9642, or off.");
  }
  if (!service.listen) return {};
  if (service.keys.empty()) {
    return refused("keys",
                   "without a key anybody gets a credential: add `keys: [{file: NAME}]`, a file "
                   "with the output of `openssl rand -hex 32`.");
  }
  const auto& [users, secrets, denied, longest] = config.turn.credentials;
  if (secrets.empty() && !users.empty()) {
    return refused({},
                   "credentials are made with a secret, and there are only `users`: add `secrets: "
                   "[{file: NAME}]`.");
  }
  if (longest && service.lifetime > *longest) {
    return refused("lifetime",
                   "`credentials.lifetime` is above `lifetimes.longest_credential`: lower it, or "
                   "raise the other.");
  }
  return {};
}

bool loopback(const IpAddress& address) {
  if (address.family() == Family::ipv4) return address.octets()[0] == 127;
  return address == IpAddress::parse("::1");
}

// Whether what is sent to `to` would come back to one of our own listeners.
bool listens_at(const Config& config, const Endpoint& to) {
  return std::ranges::any_of(config.listen, [&](const Listen& listen) {
    if (over_udp(listen.transport) || listen.port != to.port) return false;
    return listen.address ? *listen.address == to.address : loopback(to.address);
  });
}

Read<void> check_web_server(const Element& root, const Config& config) {
  if (!config.web_server) return {};
  const auto& web = *config.web_server;
  if (!web.tls && !web.plain) {
    return std::unexpected{Problem{place(root, "web_server"),
                                   "say where it is: `web_server.tls`, `web_server.plain` or both, "
                                   "such as 127.0.0.1:8443."}};
  }
  const bool shared = std::ranges::any_of(
      config.listen, [](const Listen& listen) { return listen.transport == Transport::tls; });
  if (!shared) {
    return std::unexpected{Problem{place(root, "web_server"),
                                   "there is no port to share: add a tls listener such as tls:443 "
                                   "to `listen`."}};
  }
  for (const auto& [key, to] : {std::pair{"tls", web.tls}, std::pair{"plain", web.plain}}) {
    if (!to || !listens_at(config, *to)) continue;
    return std::unexpected{Problem{place(root, "web_server", key),
                                   "yuelao itself listens there: give the web server a port of its "
                                   "own."}};
  }
  return {};
}

Read<void> check_peers(const Element& root, const Config& config) {
  const auto& peers = config.turn.peers;
  if (peers.mode != turn::PeerMode::media_server || !peers.allow.empty()) return {};
  return std::unexpected{Problem{place(root, "peers", "mode"),
                                 "clients could reach nobody: name the media servers in "
                                 "`peers.allow`."}};
}

// RFC 8489 §10: an address a family, and the domain only says more about them.
Read<void> check_alternate_server(const Element& root, const Config& config) {
  const auto* section = root.find("alternate_server");
  if (!section) return {};
  const auto& servers = config.turn.alternate_server.addresses;
  if (servers.empty()) {
    return std::unexpected{Problem{place(root, "alternate_server"),
                                   "`alternate_server` needs its `addresses`: add one, or one of "
                                   "each family."}};
  }
  for (std::size_t i = 1; i < servers.size(); ++i) {
    const bool again = std::any_of(servers.begin(), servers.begin() + static_cast<long>(i),
                                   [&](const Endpoint& earlier) {
                                     return earlier.address.family() == servers[i].address.family();
                                   });
    if (!again) continue;
    return std::unexpected{Problem{item_place(*section, "addresses", i),
                                   "an address of this family is there already: keep one IPv4 and "
                                   "one IPv6 address."}};
  }
  return {};
}

using DiscoveryAddresses = std::vector<turn::BehaviorDiscovery::Address>;

std::unexpected<Problem> refused(Position at, std::string sentence) {
  return std::unexpected{Problem{at, std::move(sentence)}};
}

// A NAT has to tell them apart, and so has this machine.
Read<void> check_different(const Element& section, const DiscoveryAddresses& addresses) {
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto& [advertised, bound] = addresses[i];
    for (std::size_t j = 0; j < i; ++j) {
      if (addresses[j].advertised != advertised && addresses[j].bound != bound) continue;
      return refused(item_place(section, "addresses", i),
                     "this address is there already: name another one, both as clients see it and "
                     "as this machine has it.");
    }
  }
  return {};
}

Read<void> check_pair(Position at, const DiscoveryAddresses& addresses, Family family) {
  const auto count = std::ranges::count_if(
      addresses, [&](const auto& address) { return address.bound.family() == family; });
  if (count == 0 || count == 2) return {};
  const std::string name = family == Family::ipv4 ? "IPv4" : "IPv6";
  if (count == 1) {
    return refused(at, "one " + name + " address has nothing to be compared with: name a second " +
                           name + " address of this machine.");
  }
  return refused(at, "clients compare two addresses: name two " + name + " addresses, no more.");
}

// RFC 5780 §6.
Read<void> check_behavior_discovery(const Element& root, const Config& config) {
  const auto* section = root.find("behavior_discovery");
  if (!section) return {};
  const auto& [addresses, ports] = config.turn.behavior_discovery;
  const auto at = place(root, "behavior_discovery", "addresses");
  if (addresses.empty()) {
    return refused(at, "`behavior_discovery` needs its `addresses`: name two of this machine's.");
  }
  if (auto done = check_different(*section, addresses); !done) return done;
  if (auto done = check_pair(at, addresses, Family::ipv4); !done) return done;
  if (auto done = check_pair(at, addresses, Family::ipv6); !done) return done;
  for (const auto& listen : config.listen) {
    if (listen.transport != Transport::tls || std::ranges::find(ports, listen.port) == ports.end())
      continue;
    return refused(place(root, "behavior_discovery", "ports"),
                   "port " + std::to_string(listen.port) +
                       " is a tls listener's, and TCP needs one of its own: choose another port.");
  }
  return {};
}

}  // namespace

Read<void> check_together(const Element& root, const Config& config) {
  if (config.tls && config.tls->certificate.empty()) {
    return std::unexpected{
        Problem{place(root, "tls"), "`tls.key` needs its `tls.certificate`: add it."}};
  }
  if (config.tls && config.tls->key.empty()) {
    return std::unexpected{
        Problem{place(root, "tls"), "`tls.certificate` needs its `tls.key`: add it."}};
  }
  if (config.turn.default_lifetime > config.turn.maximum_lifetime) {
    const auto* lifetimes = root.find("lifetimes");
    const bool maximum_said = lifetimes && lifetimes->find("maximum");
    return std::unexpected{
        Problem{place(root, "lifetimes", maximum_said ? "maximum" : "default"),
                "`lifetimes.maximum` is below `lifetimes.default`: raise it, or lower the other."}};
  }
  if (const auto done = check_credential_service(root, config); !done) return done;
  if (const auto done = check_listeners(root, config); !done) return done;
  if (const auto done = check_web_server(root, config); !done) return done;
  if (const auto done = check_peers(root, config); !done) return done;
  if (const auto done = check_alternate_server(root, config); !done) return done;
  return check_behavior_discovery(root, config);
}

std::vector<Problem> second_thoughts(const Element& root, const Config& config) {
  std::vector<Problem> thoughts;
  doubt_short(config.turn.credentials.rest_secrets, root, "secrets", thoughts);
  if (const auto* section = root.find("credentials")) {
    doubt_short(config.credentials.keys, *section, "keys", thoughts);
  }
  if (config.metrics && !loopback(config.metrics->address)) {
    thoughts.push_back({place(root, "metrics"),
                        "metrics have no password: let a firewall keep strangers from this port."});
  }
  for (std::size_t i = 0; i < config.listen.size(); ++i) {
    const auto& listen = config.listen[i];
    if (!over_udp(listen.transport) || listen.port < config.relay.first_port ||
        listen.port > config.relay.last_port) {
      continue;
    }
    thoughts.push_back({item_place(root, "listen", i),
                        "this port lies inside `relay.ports`: move one away from the other."});
  }
  return thoughts;
}

}  // namespace yuelao::config
