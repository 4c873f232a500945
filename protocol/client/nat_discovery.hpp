#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "protocol/client/turn_client.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/stun/attribute_values.hpp"

namespace yuelao::client {

// What a NAT or firewall lets depend on the other end (RFC 4787 §4.1 for mapping, §5 for
// filtering).
enum class Dependence : std::uint8_t {
  unknown,
  none,              // endpoint-independent
  address,           // address-dependent
  address_and_port,  // address and port-dependent
};

// What is between a client and a server at this moment, for this port (RFC 5780 §1).
struct NatBehavior {
  bool translated = false;
  Dependence mapping = Dependence::unknown;  // none where nothing is translated
  Dependence filtering = Dependence::unknown;
};

// One Binding, from the same socket as the others.
struct NatTest {
  Endpoint to;
  stun::ChangeRequest change;
};

// What came of it: the answer and where it came from, or why there is none.
struct NatAnswer {
  Granted granted;
  Endpoint from;
};
using NatOutcome = std::expected<NatAnswer, Failure::Reason>;

// The tests of RFC 5780 §4.3 and §4.4, one after the other. Filtering comes first: it is about
// who may answer before anything was sent to the server's other address. Sans-IO: do what
// next() says, tell on_outcome().
class NatDiscovery {
 public:
  // `local` is the socket's own address and port, with which nothing was sent before; `server`
  // where test I goes.
  NatDiscovery(const Endpoint& local, const Endpoint& server);

  // Empty when there is nothing left to ask.
  std::optional<NatTest> next() const;
  void on_outcome(const NatOutcome& outcome);

  enum class Obstacle : std::uint8_t {
    no_answer,     // to test I
    not_offered,   // no OTHER-ADDRESS
    useless,       // OTHER-ADDRESS is of another family, or differs in address or port alone
    unchanged,     // CHANGE-REQUEST is refused, or answered from where it was asked
    other_silent,  // nothing answers at the server's other address
  };
  // After the last test, or before it what is known so far.
  const NatBehavior& behavior() const { return behavior_; }
  // Why something is not known; empty where nothing stood in the way.
  std::optional<Obstacle> obstacle() const { return obstacle_; }
  // OTHER-ADDRESS of test I.
  const std::optional<Endpoint>& other() const { return other_; }

 private:
  enum class Step : std::uint8_t {
    connectivity,  // test I of both
    filter_both,   // §4.4 test II
    filter_port,   // §4.4 test III
    map_address,   // §4.3 test II
    map_both,      // §4.3 test III
    done,
  };

  void on_connectivity(const NatOutcome& outcome);
  void on_filtered(const NatOutcome& outcome);
  void on_mapped(const NatOutcome& outcome);
  void stop(Obstacle obstacle);

  Endpoint local_;
  Endpoint server_;
  Step step_ = Step::connectivity;
  NatBehavior behavior_;
  std::optional<Obstacle> obstacle_;
  std::optional<Endpoint> other_;
  std::optional<Endpoint> mapped_;  // of the last Binding that says something
};

}  // namespace yuelao::client
