#pragma once

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"
#include "protocol/random.hpp"
#include "server/probe/link.hpp"
#include "server/probe/report.hpp"

namespace yuelao::probe {

// What the NAT test works with.
struct NatTest {
  Place place;      // by UDP; the server names another address of its own (RFC 5780)
  IpAddress local;  // what this machine sends to it from
  Random& random;
  SteadyTime deadline;
};

// Finds out what is between here and the server, over a socket that nothing was sent with
// before, and adds to `leg` what came of it. Takes 12 seconds at most, and 6 where a NAT filters.
void test_nat(const NatTest& test, Leg& leg);

}  // namespace yuelao::probe
