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
  // One more session with the same server; empty when there is none to be had.
  std::function<std::optional<Session>(Transport)> open;
  Random& random;
  SteadyTime deadline;
};

// Sends packets to ourselves through `near`'s relay and adds to `leg` what came of it.
// First to a second relay of the same server: that is the way between two clients that
// both need one, and no server's rules are against its own relays. Where that is not to
// be had, to a UDP socket of this machine's.
void test_relay(const RelayTest& test, Session& near, Leg& leg);

}  // namespace yuelao::probe
