#include "server/listeners.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "server/inherited_sockets.hpp"
#include "server/port_owner.hpp"
#include "server/socket_address.hpp"
#include "server/start_error.hpp"

namespace yuelao::server {
namespace {

std::string port_name(const Listening& wanted) {
  const std::string protocol = over_udp(wanted.transport) ? "UDP" : "TCP";
  return protocol + " port " + std::to_string(wanted.at.port);
}

std::string address_name(const Listening& wanted) {
  return wanted.at.address.unspecified() ? "" : " on " + wanted.at.address.to_string();
}

// What to change in the configuration for another port, and about an address that is not here.
struct Remedy {
  std::string port;
  std::string address;
};
Remedy of_listen() {
  return {"`listen`",
          "`listen` names: correct it, or leave the address out to listen on all of them."};
}
Remedy of_discovery() {
  return {"`behavior_discovery.ports`",
          "`behavior_discovery.addresses` names: name two of its own, behind a NAT as PUBLIC/OWN."};
}

StartError taken(const Listening& wanted, const Remedy& remedy) {
  const auto owner = port_owner(wanted.transport, wanted.at.address, wanted.at.port);
  return StartError{port_name(wanted) + address_name(wanted) + " is already taken by " +
                    owner.value_or(PortOwner{}).to_string() +
                    ": stop that program, or choose another port under " + remedy.port + "."};
}

StartError failure(const Listening& wanted, std::error_code error, const Remedy& remedy) {
  if (error == std::errc::address_in_use) return taken(wanted, remedy);
  if (error == std::errc::permission_denied) {
    return StartError{port_name(wanted) +
                      " needs the capability CAP_NET_BIND_SERVICE, as every port below 1024 "
                      "does: start yuelao by its systemd service, or choose a port from 1024 "
                      "up under " +
                      remedy.port + "."};
  }
  if (error == std::errc::address_not_available) {
    return StartError{"This machine does not have the address " + wanted.at.address.to_string() +
                      " that " + remedy.address};
  }
  if (error == std::errc::too_many_files_open) {
    return StartError{"No file descriptor is left for " + port_name(wanted) +
                      ": raise the limit (LimitNOFILE= of the systemd service, or ulimit -n)."};
  }
  return StartError{"Cannot listen on " + port_name(wanted) + address_name(wanted) + ": " +
                    error.message() + "."};
}

// The sockets of a port are shared among the shards (SO_REUSEPORT), and would be with
// another server of the same user as well, which then silently gets half the packets.
// Binding once without sharing finds that out.
std::error_code try_alone(const Listening& wanted) {
  const int type = over_udp(wanted.transport) ? SOCK_DGRAM : SOCK_STREAM;
  if (is_inherited(type, wanted.at)) return {};  // found out before it began anew
  const FileDescriptor probe{::socket(kernel_family(wanted.at.address), type | SOCK_CLOEXEC, 0)};
  const int on = 1;
  const SocketAddress address{wanted.at};
  const bool v6 = wanted.at.address.family() == Family::ipv6;
  const bool bound =
      probe.open() &&
      (!v6 || ::setsockopt(probe.value(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
      // Connections of a previous run in TIME_WAIT do not count; a listener does.
      (type == SOCK_DGRAM ||
       ::setsockopt(probe.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0) &&
      ::bind(probe.value(), address.data(), address.size()) == 0;
  return bound ? std::error_code{} : std::error_code{errno, std::system_category()};
}

// Adds one shard's socket; answers where it is bound.
Endpoint open_one(const Listening& wanted, const Remedy& remedy, ShardListeners& shard) {
  if (over_udp(wanted.transport)) {
    auto socket = UdpSocket::open_listener(wanted.at);
    if (!socket) throw failure(wanted, socket.error(), remedy);
    shard.datagrams.push_back({wanted.transport, *std::move(socket)});
    return shard.datagrams.back().socket.local();
  }
  auto socket = open_stream_listener(wanted.at);
  if (!socket) throw failure(wanted, socket.error(), remedy);
  shard.streams.push_back({wanted.transport, *std::move(socket)});
  return shard.streams.back().socket.local;
}

// Answers where it is bound.
Endpoint open_for_all(Listening wanted, const Remedy& remedy, Listeners& result) {
  if (const auto error = try_alone(wanted)) throw failure(wanted, error, remedy);
  // Where the kernel chooses the port, it does so for the first shard.
  for (auto& shard : result.shards) wanted.at = open_one(wanted, remedy, shard);
  result.addresses.push_back(wanted);
  return wanted.at;
}

bool has_family(const Listening& wanted) {
  const auto error = try_alone(wanted);
  return error != std::errc::address_family_not_supported &&
         error != std::errc::address_not_available;
}

void open_everywhere(const config::Listen& wanted, Listeners& result) {
  const Endpoint any_v4{IpAddress::v4({}), wanted.port};
  Endpoint any_v6{IpAddress::v6({}), wanted.port};
  const bool v4 = has_family({wanted.transport, any_v4});
  if (v4) any_v6.port = open_for_all({wanted.transport, any_v4}, of_listen(), result).port;
  // A machine with neither is told of the second one.
  if (v4 && !has_family({wanted.transport, any_v6})) return;
  open_for_all({wanted.transport, any_v6}, of_listen(), result);
}

bool open_at(const Listeners& result, const Listening& wanted) {
  return std::ranges::any_of(result.addresses, [&](const Listening& open) {
    const auto& [address, port] = open.at;
    const bool same_transport = over_udp(open.transport) == over_udp(wanted.transport);
    return same_transport && port == wanted.at.port &&
           address.family() == wanted.at.address.family() &&
           (address.unspecified() || address == wanted.at.address);
  });
}

// RFC 5780 §6: normally a listener without an address has one of the ports on both already.
void open_for_discovery(Transport transport, const turn::BehaviorDiscovery& discovery,
                        Listeners& result) {
  for (const auto& [advertised, bound] : discovery.addresses) {
    const Listening here{transport, {bound, 0}};
    if (const auto error = try_alone(here)) throw failure(here, error, of_discovery());
    for (const auto port : discovery.ports) {
      const Listening wanted{transport, {bound, port}};
      if (!open_at(result, wanted)) open_for_all(wanted, of_discovery(), result);
    }
  }
}

}  // namespace

Listeners open_listeners(const std::vector<config::Listen>& wanted, unsigned shards,
                         const turn::BehaviorDiscovery& discovery) {
  Listeners result;
  result.shards.resize(shards);
  for (const auto& listen : wanted) {
    if (listen.address) {
      open_for_all({listen.transport, {*listen.address, listen.port}}, of_listen(), result);
    } else {
      open_everywhere(listen, result);
    }
  }
  open_for_discovery(Transport::udp, discovery, result);
  const auto tcp = std::ranges::find(wanted, Transport::tcp, &config::Listen::transport);
  if (tcp != wanted.end()) open_for_discovery(Transport::tcp, discovery, result);
  return result;
}

}  // namespace yuelao::server
