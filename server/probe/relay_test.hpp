#pragma once

#include <functional>
#include <optional>

#include "server/probe/link.hpp"
#include "server/probe/report.hpp"
#include "server/probe/session.hpp"

namespace yuelao::probe {

// What the data test works with.
struct RelayTest {
  Place place;
  Endpoint relayed;  // of the session that is tested
  // One more session with the same server; empty when there is none to be had until then.
  std::function<std::optional<Session>(Transport, SteadyTime deadline)> open;
  Random& random;
  SteadyTime deadline;
  Load load = Load::full;
};

// Sends packets to ourselves through `near`'s relay and adds to `leg` what came of it: to a
// second relay of the same server, which is the way between two clients that both need
// one, and from a UDP socket of this machine's to the relay, which is the way of all other
// peers and the one that a firewall before the relay ports closes.
void test_relay(const RelayTest& test, Session& near, Leg& leg);

}  // namespace yuelao::probe
