#include "server/probe/relay_test.hpp"

#include <sys/socket.h>

#include <fmt/format.h>
#include <algorithm>
#include <array>

#include "protocol/client/relayed_data.hpp"
#include "server/probe/explain.hpp"
#include "server/probe/measure.hpp"
#include "server/probe/waiting.hpp"
#include "server/socket_address.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;
using stun::ChannelNumber;

const auto to_relay = *ChannelNumber::from(ChannelNumber::first);
const auto to_peer = *ChannelNumber::from(ChannelNumber::first + 1);

// What a test found out, or why it could not be made.
struct Hindrance {
  std::string sentences;
  // The server refused to let this machine in, or there is no UDP from here: neither is
  // a fault of the relay's.
  bool innocent = false;
};
using Outcome = std::expected<DataTest, Hindrance>;

// A relay, seen through a channel to the peer.
class ChannelEnd final : public End {
 public:
  ChannelEnd(Session& session, ChannelNumber channel) : link_{session.link()}, channel_{channel} {}

  int descriptor() const override { return link_.descriptor(); }
  bool alive() const override { return link_.error() == 0; }
  void send(Bytes payload, SteadyTime deadline) override {
    const auto padding = link_.carrier() == client::Carrier::stream ? client::Padding::to_four
                                                                    : client::Padding::none;
    link_.send(client::write_channel_data(channel_, payload, padding, buffer_), deadline);
  }
  Bytes receive() override {
    for (auto message = link_.receive(); !message.empty(); message = link_.receive()) {
      const auto data = client::read_relayed(message);
      if (!data || data->payload.empty()) continue;
      // Behind some NATs a peer's datagrams come from a port that no channel is for.
      if (data->peer || data->channel == channel_) return data->payload;
    }
    return {};
  }

 private:
  Link& link_;
  ChannelNumber channel_;
  std::array<std::byte, 2048> buffer_{};
};

// The socket that a Binding went out from, turned towards the relay: its NAT has a
// mapping, and the datagrams it sends there let answers in.
class SocketEnd final : public End {
 public:
  SocketEnd(Session& session, const Endpoint& relayed) : link_{session.link()} {
    const server::SocketAddress remote{relayed};
    turned_ = ::connect(link_.descriptor(), remote.data(), remote.size()) == 0;
  }

  int descriptor() const override { return link_.descriptor(); }
  bool alive() const override { return turned_ && link_.error() == 0; }
  void send(Bytes payload, SteadyTime deadline) override { link_.send(payload, deadline); }
  Bytes receive() override { return link_.receive(); }

 private:
  Link& link_;
  bool turned_ = false;
};

// Where a channel leads.
struct Way {
  ChannelNumber channel;
  Endpoint peer;
};

// Lets the peer in, and makes a short way to it (RFC 8656 §9, §12).
std::expected<void, Trouble> admit(Session& session, const Way& way, SteadyTime deadline) {
  auto admitted = session.ask(client::CreatePermission{way.peer}, deadline);
  if (admitted.result) admitted = session.ask(client::ChannelBind{way.channel, way.peer}, deadline);
  if (!admitted.result) return std::unexpected{std::move(admitted.result).error()};
  return {};
}

std::unexpected<Hindrance> hindered(std::string sentences) {
  return std::unexpected{Hindrance{std::move(sentences), false}};
}

std::unexpected<Hindrance> innocent(std::string sentences) {
  return std::unexpected{Hindrance{std::move(sentences), true}};
}

Outcome between_relays(const RelayTest& test, Session& near) {
  auto far = test.open(test.place.transport, test.deadline);
  if (!far) return hindered("A second connection to the server does not come about.");
  const auto second = far->ask(client::Allocate{}, test.deadline);
  if (!second.result) return hindered(explain(second.result.error(), test.place));
  const auto peer = *second.result->relayed;
  auto admitted = admit(near, {to_relay, peer}, test.deadline);
  if (admitted) admitted = admit(*far, {to_relay, test.relayed}, test.deadline);
  if (!admitted) return hindered(explain(admitted.error(), test.place));
  ChannelEnd here{near, to_relay};
  ChannelEnd there{*far, to_relay};
  auto data = round_trips(here, there, test.random, test.deadline);
  data.way = DataTest::Way::between_relays;
  if (data.arrived > 0 && test.load == Load::full) {
    data.megabits_per_second = throughput(here, there, test.random, test.deadline);
  }
  far->ask(client::Refresh{0s}, steady_now() + 500ms);
  if (data.returned > 0) return data;
  return hindered(
      fmt::format("No packet came from {} to {} and back: the server cannot send to its own relay "
                  "address.",
                  test.relayed.to_string(), peer.to_string()));
}

Outcome from_socket(const RelayTest& test, Session& near) {
  auto socket = test.open(Transport::udp, test.deadline);
  if (!socket) return innocent("This machine cannot send UDP there.");
  // It answered before where the leg is UDP itself; elsewhere there need not be any.
  const auto seen = socket->ask(client::Binding{}, std::min(test.deadline, steady_now() + 2s));
  if (!seen.result) return innocent("Nothing on the server tells this machine's UDP address.");
  const auto peer = *seen.result->mapped;
  if (const auto admitted = admit(near, {to_peer, peer}, test.deadline); !admitted) {
    const auto& trouble = admitted.error();
    const auto reason = explain(trouble, test.place);
    const bool refused = trouble.error == 0 && trouble.failure.code == 403;
    return refused ? innocent(reason + " For a private address that is as it should be.")
                   : hindered(reason);
  }
  SocketEnd here{*socket, test.relayed};
  ChannelEnd there{near, to_peer};
  auto data = round_trips(here, there, test.random, test.deadline);
  data.way = DataTest::Way::from_socket;
  if (data.arrived > 0) return data;
  return hindered(
      fmt::format("No datagram that this machine sent to the relay {} came through: a firewall "
                  "there or here is closed for the relay ports, or that address does not lead to "
                  "the server.",
                  test.relayed.to_string()));
}

std::string times(const DataTest& data) {
  return fmt::format("there and back in {} (median; 95 % within {}, slowest {})",
                     milliseconds(data.median), milliseconds(data.percentile_95),
                     milliseconds(data.slowest));
}

void add_relays(const DataTest& data, Leg& leg) {
  const bool lossless = data.returned == data.sent;
  leg.add({"relays", lossless ? Verdict::works : Verdict::attention,
           fmt::format("To a second relay of the server {} of {} packets arrived and {} came back, "
                       "{}.{}",
                       data.arrived, data.sent, data.returned, times(data),
                       lossless ? ""
                                : " Calls suffer from loss: look for a line or a machine that is "
                                  "full.")});
  if (data.megabits_per_second == 0) return;
  leg.add(
      {"throughput", Verdict::works,
       fmt::format("One way it carried {:.1f} Mbit/s for a second.", data.megabits_per_second)});
}

void add_peer(const DataTest& data, Leg& leg) {
  if (data.returned == 0) {
    leg.add(
        {"peer", Verdict::attention,
         fmt::format("A peer's packets come through the relay ({} of {} arrived), and no answer "
                     "comes back here: a NAT or firewall on this side lets none in.",
                     data.arrived, data.sent)});
    return;
  }
  const bool lossless = data.returned == data.sent;
  leg.add({"peer", lossless ? Verdict::works : Verdict::attention,
           fmt::format("From a peer without a relay {} of {} packets arrived and {} came back, {}.",
                       data.arrived, data.sent, data.returned, times(data))});
}

}  // namespace

void test_relay(const RelayTest& test, Session& near, Leg& leg) {
  const auto relays = between_relays(test, near);
  const auto peer = from_socket(test, near);
  if (relays) {
    leg.data.push_back(*relays);
    add_relays(*relays, leg);
  } else {
    leg.add({"relays", peer ? Verdict::attention : Verdict::failed,
             "Two clients that both need this relay would not reach each other. " +
                 relays.error().sentences});
  }
  if (peer) {
    leg.data.push_back(*peer);
    add_peer(*peer, leg);
    return;
  }
  const bool untried = peer.error().innocent;
  leg.add({"peer", untried ? Verdict::skipped : Verdict::failed,
           (untried ? "Whether other peers reach the relay could not be tried. "
                    : "Other peers would not reach the relay. ") +
               peer.error().sentences});
}

}  // namespace yuelao::probe
