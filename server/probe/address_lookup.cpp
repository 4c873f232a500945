#include "server/probe/address_lookup.hpp"

#include <netdb.h>

#include <algorithm>
#include <future>
#include <memory>
#include <thread>

#include "server/socket_address.hpp"

namespace yuelao::probe {
namespace {

using Addresses = std::expected<std::vector<IpAddress>, std::string>;

Addresses ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* first = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &first); error != 0) {
    return std::unexpected{std::string{::gai_strerror(error)}};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{first, ::freeaddrinfo};
  std::vector<IpAddress> found;
  for (const addrinfo* one = first; one; one = one->ai_next) {
    server::SocketAddress address;
    if (one->ai_addrlen > server::SocketAddress::capacity) continue;
    std::copy_n(reinterpret_cast<const std::byte*>(one->ai_addr), one->ai_addrlen,
                reinterpret_cast<std::byte*>(address.data()));
    const auto plain = address.endpoint().address;
    if (std::ranges::find(found, plain) == found.end()) found.push_back(plain);
  }
  if (found.empty()) return std::unexpected{std::string{"it has no A and no AAAA record"}};
  return found;
}

}  // namespace

// getaddrinfo() has no deadline, and alone knows all the ways of this system. The thread
// of a resolver that does not answer is left to itself.
Addresses look_up(const std::string& host, SteadyTime deadline) {
  const auto found = std::make_shared<std::promise<Addresses>>();
  auto waiting = found->get_future();
  std::thread{[found, host] { found->set_value(ask_system(host)); }}.detach();
  if (waiting.wait_until(deadline) != std::future_status::ready) {
    return std::unexpected{std::string{"the resolver does not answer"}};
  }
  return waiting.get();
}

}  // namespace yuelao::probe
