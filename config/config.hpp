#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::config {

using namespace std::chrono_literals;

// Where clients reach us.
struct Listen {
  // udp also takes DTLS and tcp TLS on the same port, told apart by the first octet, when a
  // certificate is configured; dtls and tls take nothing else.
  Transport transport = Transport::udp;
  // Unset: every address of this machine, IPv4 and IPv6.
  std::optional<IpAddress> address;
  std::uint16_t port = 3478;
};

struct TlsFiles {
  std::filesystem::path certificate;  // PEM, the whole chain
  std::filesystem::path key;          // PEM
  // The first DNS name the certificate is for, filled in by the server: clients check the
  // name in their URL against it. Empty where it has none.
  std::string host{};
  // Where the two are named, as "file:line:column", for whoever finds fault with them.
  std::string certificate_place{};
  std::string key_place{};
};

// Whether a server behind us is told whose connection it gets, by a header in front of it.
enum class ProxyProtocol : std::uint8_t { off, v2 };

// A web server that shares the tls listeners. At least one of the two endpoints is set.
struct WebServer {
  // Gets what is not for TURN as it came, TLS and all.
  std::optional<Endpoint> tls;
  // Gets what is not STUN once TLS has ended here.
  std::optional<Endpoint> plain;
  // Host names that are TURN's alone, in lower case.
  std::vector<std::string> turn_names;
  ProxyProtocol proxy_protocol = ProxyProtocol::off;
};

// Whom to ask which address a datagram from here comes from.
struct StunServer {
  std::string host;
  std::uint16_t port = 3478;
};

// What clients are told instead of an address this machine has: "pub", "pub/priv" or a
// host name, as written, or what a STUN server says.
// server/command/addresses.hpp turns it into turn::RelayAddress.
struct ExternalAddress {
  std::string public_host;  // empty: ask `stun`
  std::optional<IpAddress> bound;
  std::optional<StunServer> stun{};
};

struct Relay {
  std::vector<IpAddress> addresses;  // to open relays on; empty: detected
  std::uint16_t first_port = 49152;
  std::uint16_t last_port = 65535;
};

// Hands out TURN REST credentials over HTTP, to whoever has a key.
struct CredentialService {
  std::optional<Endpoint> listen{};  // unset: off
  std::vector<Secret> keys{};        // any of them opens it
  // Web origins ("https://meet.example.org") whose pages may read the answers.
  std::vector<std::string> origins{};
  // Of a credential that is not asked for a shorter one.
  std::chrono::seconds lifetime = 24h;
  // Requests a minute of an IPv4 address or IPv6 /64; 0: no limit.
  std::uint32_t rate = 600;
};

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };
// What of an address or user name a log line may show.
enum class LogPrivacy : std::uint8_t {
  none,       // nothing
  truncated,  // addresses cut to /16 and /32, no user names
  full,
};

// How a shard waits for what comes, receives and sends.
enum class Poller : std::uint8_t {
  automatic,  // io_uring where the kernel allows it, or else epoll
  epoll,
  io_uring,
};

struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  LogPrivacy privacy = LogPrivacy::none;
};

// Everything a configuration file can say, with what holds when it says nothing.
struct Config {
  std::vector<Listen> listen = {{Transport::udp, std::nullopt, 3478},
                                {Transport::tcp, std::nullopt, 3478}};
  std::vector<ExternalAddress> external_addresses;
  // How often the addresses are found out anew, beside when the machine's own change;
  // 0: only then.
  std::chrono::seconds address_check = 1min;
  Relay relay;
  std::optional<TlsFiles> tls;
  // Proxies in front of us whose PROXY headers are believed; also in turn.limits.
  std::vector<IpRange> proxies;
  std::optional<WebServer> web_server;
  // realm, credentials, lifetimes, limits, peer rules. relay_addresses, own_addresses
  // and nonce_key are filled in by the server.
  turn::Options turn;
  CredentialService credentials;
  // TCP, TLS and DTLS clients: connections at the same time, over all shards.
  std::uint32_t connections = 10'000;
  // Of one IPv4 address or IPv6 /64; 0: no limit.
  std::uint32_t connections_per_client = 1'000;
  // Prometheus and health checks over HTTP; unset: off.
  std::optional<Endpoint> metrics = Endpoint::parse("127.0.0.1:9641");
  Log log;
  // After SIGTERM: how long calls may go on before the server ends them.
  std::chrono::seconds drain_timeout = 30s;
  unsigned threads = 0;  // shards; 0: one a core
  Poller poller = Poller::automatic;
  // Whether the server gives up what it needs no more once it is set up; off: for debuggers.
  bool sandbox = true;
  std::filesystem::path state_directory;  // empty: $STATE_DIRECTORY, or ~/.local/state/yuelao
  // The files that secrets and passwords were read from.
  std::vector<std::filesystem::path> secret_files;
  // What works and is still worth a second look: "file:line:column: sentence".
  std::vector<std::string> warnings;
};

}  // namespace yuelao::config
