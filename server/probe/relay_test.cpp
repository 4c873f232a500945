#include "server/probe/relay_test.hpp"

#include <sys/socket.h>

#include <fmt/format.h>
#include <array>

#include "protocol/client/relayed_data.hpp"
#include "server/probe/explain.hpp"
#include "server/probe/measure.hpp"
#include "server/probe/waiting.hpp"
#include "server/socket_address.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;
using Outcome = std::expected<DataTest, std::string>;  // the error: sentences

const auto channel = *stun::ChannelNumber::from(stun::ChannelNumber::first);

// A relay, seen through a channel to the peer.
class ChannelEnd final : public End {
 public:
  explicit ChannelEnd(Session& session) : link_{session.link()} {}

  int descriptor() const override { return link_.descriptor(); }
  bool alive() const override { return link_.error() == 0; }
  void send(Bytes payload, SteadyTime deadline) override {
    const auto padding = link_.carrier() == client::Carrier::stream ? client::Padding::to_four
                                                                    : client::Padding::none;
    link_.send(client::write_channel_data(channel, payload, padding, buffer_), deadline);
  }
  Bytes receive() override {
    for (auto message = link_.receive(); !message.empty(); message = link_.receive()) {
      const auto data = client::read_relayed(message);
      if (data && data->channel == channel && !data->payload.empty()) return data->payload;
    }
    return {};
  }

 private:
  Link& link_;
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

// Lets `peer` in, and makes a short way to it (RFC 8656 §9, §12).
std::expected<void, Trouble> admit(Session& session, const Endpoint& peer, SteadyTime deadline) {
  auto permitted = session.ask(client::CreatePermission{peer}, deadline);
  if (permitted.result) permitted = session.ask(client::ChannelBind{channel, peer}, deadline);
  if (!permitted.result) return std::unexpected{std::move(permitted.result).error()};
  return {};
}

std::string nothing_came(std::string_view towards) {
  return fmt::format(
      "No packet came through the relay to {}: the relay ports of the server are "
      "closed in a firewall, or it names a relay address that does not lead to it.",
      towards);
}

Outcome judged(DataTest test, DataTest::Way way, std::string_view towards) {
  test.way = way;
  if (test.returned == 0) return std::unexpected{nothing_came(towards)};
  return test;
}

Outcome between_relays(const RelayTest& test, Session& near) {
  auto far = test.open(test.place.transport);
  if (!far) return std::unexpected{"A second connection to the server does not come about."};
  const auto second = far->ask(client::Allocate{}, test.deadline);
  if (!second.result) return std::unexpected{explain(second.result.error(), test.place)};
  const auto peer = *second.result->relayed;
  auto admitted = admit(near, peer, test.deadline);
  if (admitted) admitted = admit(*far, test.relayed, test.deadline);
  if (!admitted) return std::unexpected{explain(admitted.error(), test.place)};
  ChannelEnd here{near};
  ChannelEnd there{*far};
  const auto measured = measure(here, there, test.random, test.deadline);
  far->ask(client::Refresh{0s}, steady_now() + 500ms);
  return judged(measured, DataTest::Way::between_relays, peer.to_string());
}

Outcome to_socket(const RelayTest& test, Session& near) {
  auto far = test.open(Transport::udp);
  const Place udp{Transport::udp, test.place.server};
  if (!far) return std::unexpected{"A UDP socket to the server does not come about."};
  const auto seen = far->ask(client::Binding{}, test.deadline);
  if (!seen.result) return std::unexpected{explain(seen.result.error(), udp)};
  const auto peer = *seen.result->mapped;
  if (const auto admitted = admit(near, peer, test.deadline); !admitted) {
    return std::unexpected{explain(admitted.error(), test.place)};
  }
  ChannelEnd here{near};
  SocketEnd there{*far, test.relayed};
  const auto measured = measure(here, there, test.random, test.deadline);
  return judged(measured, DataTest::Way::to_socket, peer.to_string());
}

void report(const DataTest& data, Leg& leg) {
  leg.data = data;
  const bool lossless = data.returned == data.sent;
  const auto* way = data.way == DataTest::Way::between_relays ? "to a second relay of the server"
                                                              : "to a UDP socket of this machine";
  leg.add({"data", lossless ? Verdict::works : Verdict::attention,
           fmt::format("Through the relay {}: {} of {} packets arrived and {} came back, in {} "
                       "(median; 95 % within {}, slowest {}).{}",
                       way, data.arrived, data.sent, data.returned, milliseconds(data.median),
                       milliseconds(data.percentile_95), milliseconds(data.slowest),
                       lossless ? ""
                                : " Calls suffer from such loss: look for a line or a machine "
                                  "that is full.")});
  leg.add(
      {"throughput", Verdict::works,
       fmt::format("One way it carried {:.1f} Mbit/s for a second.", data.megabits_per_second)});
}

}  // namespace

void test_relay(const RelayTest& test, Session& near, Leg& leg) {
  const auto relays = between_relays(test, near);
  if (relays) return report(*relays, leg);
  const auto socket = to_socket(test, near);
  leg.add({"between relays", socket ? Verdict::attention : Verdict::failed,
           "Two clients that both need this relay would not reach each other. " + relays.error()});
  if (socket) return report(*socket, leg);
  leg.add({"data", Verdict::failed,
           "Nor does data reach a UDP socket of this machine. " + socket.error()});
}

}  // namespace yuelao::probe
