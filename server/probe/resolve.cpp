#include "server/probe/resolve.hpp"

#include <algorithm>

#include "server/probe/address_lookup.hpp"

namespace yuelao::probe {
namespace {

using client::Uri;

constexpr std::size_t most_places = 8;

// RFC 5928 §3: what the URI does not say is left to what this client can do. A "stun"
// URI is for datagrams: no client asks for its address over TCP.
std::vector<Transport> transports_of(const Uri& uri) {
  if (uri.secure()) return {Transport::tls};
  if (!uri.relays()) return {Transport::udp};
  if (uri.transport) return {*uri.transport};
  return {Transport::udp, Transport::tcp};
}

std::string list(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i > 0) text += i + 1 == addresses.size() ? " and " : ", ";
    text += addresses[i].to_string();
  }
  return text;
}

}  // namespace

Resolved resolve(const Uri& uri, SteadyTime deadline) {
  Resolved resolved;
  std::vector<IpAddress> addresses;
  if (uri.address) {
    addresses.push_back(*uri.address);
  } else {
    auto found = look_up(uri.host, deadline);
    if (!found) {
      resolved.steps.push_back(
          {"resolve", Verdict::failed,
           uri.host + " leads to no address: " + found.error() +
               ". Look at the spelling, and at the name's A and AAAA records."});
      return resolved;
    }
    addresses = *std::move(found);
    resolved.steps.push_back(
        {"resolve", Verdict::works,
         uri.host + (addresses.size() == 1 ? " has the address " : " has the addresses ") +
             list(addresses) + "."});
  }
  const auto port = uri.port.value_or(uri.default_port());
  for (const auto transport : transports_of(uri)) {
    for (const auto& address : addresses) {
      resolved.places.push_back({transport, {address, port}});
    }
  }
  if (resolved.places.size() > most_places) resolved.places.resize(most_places);
  return resolved;
}

}  // namespace yuelao::probe
