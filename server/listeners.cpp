#include "server/listeners.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

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

StartError taken(const Listening& wanted) {
  const auto owner = port_owner(wanted.transport, wanted.at.address, wanted.at.port);
  return StartError{port_name(wanted) + address_name(wanted) + " is already taken by " +
                    owner.value_or(PortOwner{}).to_string() +
                    ": stop that program, or choose another port under `listen`."};
}

StartError failure(const Listening& wanted, std::error_code error) {
  if (error == std::errc::address_in_use) return taken(wanted);
  if (error == std::errc::permission_denied) {
    return StartError{port_name(wanted) +
                      " needs the capability CAP_NET_BIND_SERVICE, as every port below 1024 "
                      "does: start yuelao by its systemd service, or choose a port from 1024 "
                      "up under `listen`."};
  }
  if (error == std::errc::address_not_available) {
    return StartError{"This machine does not have the address " + wanted.at.address.to_string() +
                      " that `listen` names: correct it, or leave the address out to listen on "
                      "all of them."};
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
Endpoint open_one(const Listening& wanted, ShardListeners& shard) {
  if (over_udp(wanted.transport)) {
    auto socket = UdpSocket::open_listener(wanted.at);
    if (!socket) throw failure(wanted, socket.error());
    shard.datagrams.push_back({wanted.transport, *std::move(socket)});
    return shard.datagrams.back().socket.local();
  }
  auto socket = open_stream_listener(wanted.at);
  if (!socket) throw failure(wanted, socket.error());
  shard.streams.push_back({wanted.transport, *std::move(socket)});
  return shard.streams.back().socket.local;
}

// Empty where the machine has no such address family, which is only an error when the
// family was asked for by name.
std::optional<Endpoint> open_for_all(Listening wanted, bool family_optional, Listeners& result) {
  const auto error = try_alone(wanted);
  const bool no_family =
      error == std::errc::address_family_not_supported || error == std::errc::address_not_available;
  if (family_optional && no_family) return std::nullopt;
  if (error) throw failure(wanted, error);
  // Where the kernel chooses the port, it does so for the first shard.
  for (auto& shard : result.shards) wanted.at = open_one(wanted, shard);
  result.addresses.push_back(wanted);
  return wanted.at;
}

void open_everywhere(const config::Listen& wanted, Listeners& result) {
  const Endpoint any_v4{IpAddress::v4({}), wanted.port};
  Endpoint any_v6{IpAddress::v6({}), wanted.port};
  const auto bound = open_for_all({wanted.transport, any_v4}, true, result);
  if (bound) any_v6.port = bound->port;
  open_for_all({wanted.transport, any_v6}, bound.has_value(), result);
}

}  // namespace

Listeners open_listeners(const std::vector<config::Listen>& wanted, unsigned shards) {
  Listeners result;
  result.shards.resize(shards);
  for (const auto& listen : wanted) {
    if (listen.address) {
      open_for_all({listen.transport, {*listen.address, listen.port}}, false, result);
    } else {
      open_everywhere(listen, result);
    }
  }
  return result;
}

}  // namespace yuelao::server
