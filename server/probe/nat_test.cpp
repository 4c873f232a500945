#include "server/probe/nat_test.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "protocol/client/nat_discovery.hpp"
#include "server/file_descriptor.hpp"
#include "server/probe/explain.hpp"
#include "server/probe/private_address.hpp"
#include "server/probe/waiting.hpp"
#include "server/socket_address.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;
using client::NatDiscovery;
using client::NatOutcome;
using server::FileDescriptor;
using server::SocketAddress;
using Reason = client::Failure::Reason;

// A filter shows itself by silence: three transmissions within 3 s tell it from loss.
constexpr client::Schedule nat_schedule{
    .first_timeout = 500ms, .transmissions = 3, .last_timeout_factor = 3};

// Unconnected: what it is about is who else may answer.
class NatSocket {
 public:
  explicit NatSocket(const IpAddress& local)
      : socket_{
            ::socket(server::kernel_family(local), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
    const SocketAddress address{Endpoint{local, 0}};
    bound_ = socket_.open() && ::bind(socket_.value(), address.data(), address.size()) == 0;
  }

  bool usable() const { return bound_; }
  int descriptor() const { return socket_.value(); }
  Endpoint local() const {
    SocketAddress address;
    socklen_t size = SocketAddress::capacity;
    ::getsockname(socket_.value(), address.data(), &size);
    return address.endpoint();
  }
  void send(Bytes message, const Endpoint& to) const {
    const SocketAddress address{to};
    ::sendto(socket_.value(), message.data(), message.size(), MSG_NOSIGNAL, address.data(),
             address.size());
  }
  struct Datagram {
    Bytes payload;  // until the next call
    Endpoint from;
  };
  std::optional<Datagram> receive() {
    SocketAddress from;
    socklen_t size = SocketAddress::capacity;
    const auto got =
        ::recvfrom(socket_.value(), buffer_.data(), buffer_.size(), 0, from.data(), &size);
    if (got < 0) return std::nullopt;
    return Datagram{Bytes{buffer_}.first(static_cast<std::size_t>(got)), from.endpoint()};
  }

 private:
  FileDescriptor socket_;
  bool bound_ = false;
  std::array<std::byte, 2048> buffer_{};
};

NatOutcome outcome_of(client::Outcome outcome, const Endpoint& from) {
  if (!outcome.result) return std::unexpected{outcome.result.error().reason};
  return client::NatAnswer{*std::move(outcome.result), from};
}

// One Binding and what comes of it; empty when the time is up.
std::optional<NatOutcome> ask(NatSocket& socket, const client::NatTest& wanted, Random& random,
                              SteadyTime deadline) {
  client::TurnClient client{client::Carrier::datagrams, std::nullopt, nat_schedule, random};
  client.start(client::Binding{wanted.change}, steady_now());
  while (steady_now() < deadline) {
    if (auto gave_up = client.advance(steady_now())) return outcome_of(*std::move(gave_up), {});
    const auto transmission = client.take_transmission();
    if (!transmission.empty()) socket.send(transmission, wanted.to);
    if (const auto datagram = socket.receive()) {
      auto event = client.on_message(datagram->payload, steady_now());
      auto* const outcome = std::get_if<client::Outcome>(&event);
      if (outcome != nullptr) return outcome_of(std::move(*outcome), datagram->from);
      continue;
    }
    wait_for({socket.descriptor()}, Wish::read,
             std::min(deadline, client.deadline().value_or(deadline)));
  }
  return std::nullopt;
}

}  // namespace

void test_nat(const NatTest& test, Leg& leg) {
  NatSocket socket{test.local};
  if (!socket.usable()) {
    leg.add({"nat", Verdict::skipped, explain(LinkError{errno, {}}, test.place)});
    return;
  }
  NatDiscovery discovery{socket.local(), test.place.server};
  while (const auto wanted = discovery.next()) {
    // No server on the Internet makes this machine send into its own network.
    if (private_address(wanted->to.address) && !private_address(test.place.server.address)) {
      leg.add({"nat", Verdict::attention,
               "The server names " + discovery.other()->to_string() +
                   " as its other address, which nobody elsewhere can reach: tell the server its "
                   "public address."});
      return;
    }
    const auto outcome = ask(socket, *wanted, test.random, test.deadline);
    if (!outcome) {
      leg.add(
          {"nat", Verdict::skipped, "No time was left to find out what kind of NAT is between."});
      return;
    }
    discovery.on_outcome(*outcome);
  }
  leg.nat = discovery.behavior();
  const auto obstacle = discovery.obstacle();
  auto text = explain(*leg.nat);
  if (obstacle) text += " " + explain(*obstacle, discovery.other());
  leg.add({"nat", obstacle ? Verdict::attention : Verdict::works, std::move(text)});
}

}  // namespace yuelao::probe
