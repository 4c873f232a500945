#pragma once

#include "server/probe/relay_test.hpp"

namespace yuelao::probe {

// Finds out which parts of the standard beyond a relay for UDP the server speaks, and adds them to
// the leg: asks for a relay with each of them on a session of its own, and gives it back. Without
// any is no fault of a server's.
void test_relay_features(const RelayTest& test, Leg& leg);
// The same for what needs no relay. `other_address`: the server's answers to Bindings name one.
void test_stun_features(const RelayTest& test, bool other_address, Leg& leg);

// A step that says what was found out.
void add_features(Leg& leg);

}  // namespace yuelao::probe
