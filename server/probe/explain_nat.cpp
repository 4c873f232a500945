#include "server/probe/explain.hpp"

namespace yuelao::probe {
namespace {

using client::Dependence;

std::string explain_mapping(const client::NatBehavior& nat) {
  if (!nat.translated) return "No NAT is between.";
  const std::string to = "The NAT shows a socket of this machine to ";
  switch (nat.mapping) {
    case Dependence::none:
      return to +
             "everybody as the same address and port (endpoint-independent mapping), which is what "
             "calls without a relay need.";
    case Dependence::address:
      return to +
             "each address as another port (address-dependent mapping): many calls need a relay.";
    case Dependence::address_and_port:
      return to +
             "each address and port as another port (address and port-dependent mapping): most "
             "calls need a relay.";
    case Dependence::unknown:
      return "A NAT is between, and how it maps is not known.";
  }
  return {};
}

std::string explain_filtering(Dependence filtering) {
  const std::string in = "Datagrams come in from ";
  switch (filtering) {
    case Dependence::none:
      return in + "anywhere (endpoint-independent filtering).";
    case Dependence::address:
      return in + "addresses that this machine has sent to (address-dependent filtering).";
    case Dependence::address_and_port:
      return in +
             "addresses and ports that this machine has sent to, and no others (address and "
             "port-dependent filtering).";
    case Dependence::unknown:
      return "From where datagrams come in is not known.";
  }
  return {};
}

}  // namespace

std::string explain(const client::NatBehavior& nat) {
  return explain_mapping(nat) + " " + explain_filtering(nat.filtering);
}

std::string explain(client::NatDiscovery::Obstacle obstacle, const std::optional<Endpoint>& other) {
  using enum client::NatDiscovery::Obstacle;
  const auto names =
      "The server names " + (other ? other->to_string() : "no address") + " as its other address";
  switch (obstacle) {
    case no_answer:
      return "The server stopped answering.";
    case not_offered:
      return "This time the server names no other address of its own.";
    case useless:
      return names +
             ", and nothing can be compared unless address and port both differ from those "
             "that were asked.";
    case unchanged:
      return names + ", and does not answer from there.";
    case other_silent:
      return names + ", and nothing answers there: open both ports at both addresses.";
  }
  return {};
}

}  // namespace yuelao::probe
