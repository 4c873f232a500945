#include "protocol/client/nat_discovery.hpp"

namespace yuelao::client {
namespace {

using Reason = Failure::Reason;

constexpr stun::ChangeRequest both{.change_ip = true, .change_port = true};
constexpr stun::ChangeRequest port_alone{.change_ip = false, .change_port = true};

bool silent(const NatOutcome& outcome) { return !outcome && outcome.error() == Reason::silent; }

// An answer from where it was not asked for says nothing of a NAT: the server ignores
// CHANGE-REQUEST.
bool answered_from(const NatOutcome& outcome, const Endpoint& expected) {
  return outcome && outcome->from == expected;
}

}  // namespace

NatDiscovery::NatDiscovery(const Endpoint& local, const Endpoint& server)
    : local_{local}, server_{server} {}

std::optional<NatTest> NatDiscovery::next() const {
  switch (step_) {
    case Step::connectivity:
      return NatTest{server_, {}};
    case Step::filter_both:
      return NatTest{server_, both};
    case Step::filter_port:
      return NatTest{server_, port_alone};
    case Step::map_address:
      return NatTest{{other_->address, server_.port}, {}};
    case Step::map_both:
      return NatTest{*other_, {}};
    case Step::done:
      return std::nullopt;
  }
  return std::nullopt;
}

void NatDiscovery::on_outcome(const NatOutcome& outcome) {
  switch (step_) {
    case Step::connectivity:
      return on_connectivity(outcome);
    case Step::filter_both:
    case Step::filter_port:
      return on_filtered(outcome);
    case Step::map_address:
    case Step::map_both:
      return on_mapped(outcome);
    case Step::done:
      return;
  }
}

void NatDiscovery::stop(Obstacle obstacle) {
  obstacle_ = obstacle;
  step_ = Step::done;
}

void NatDiscovery::on_connectivity(const NatOutcome& outcome) {
  if (!outcome || !outcome->granted.mapped) return stop(Obstacle::no_answer);
  mapped_ = outcome->granted.mapped;
  behavior_.translated = *mapped_ != local_;
  if (!behavior_.translated) behavior_.mapping = Dependence::none;
  other_ = outcome->granted.other;
  if (!other_) return stop(Obstacle::not_offered);
  const bool useful = other_->address.family() == server_.address.family() &&
                      other_->address != server_.address && other_->port != server_.port &&
                      other_->port != 0 && !other_->address.unspecified();
  if (!useful) return stop(Obstacle::useless);
  step_ = Step::filter_both;
}

void NatDiscovery::on_filtered(const NatOutcome& outcome) {
  const bool first = step_ == Step::filter_both;
  const Endpoint expected = first ? *other_ : Endpoint{server_.address, other_->port};
  if (first && silent(outcome)) {
    step_ = Step::filter_port;
    return;
  }
  if (answered_from(outcome, expected)) {
    behavior_.filtering = first ? Dependence::none : Dependence::address;
  } else if (silent(outcome)) {
    behavior_.filtering = Dependence::address_and_port;
  } else {
    obstacle_ = Obstacle::unchanged;
  }
  // Silence may be the server's: its other address has to answer once when it is asked itself.
  const bool settled = !behavior_.translated && behavior_.filtering == Dependence::none;
  step_ = settled ? Step::done : Step::map_address;
}

void NatDiscovery::on_mapped(const NatOutcome& outcome) {
  const bool first = step_ == Step::map_address;
  step_ = Step::done;
  if (!outcome || !outcome->granted.mapped) {
    obstacle_ = Obstacle::other_silent;
    if (first && behavior_.filtering != Dependence::none) behavior_.filtering = Dependence::unknown;
    return;
  }
  if (!behavior_.translated) return;
  const bool same = outcome->granted.mapped == mapped_;
  mapped_ = outcome->granted.mapped;
  if (first && !same) {
    step_ = Step::map_both;
  } else if (first) {
    behavior_.mapping = Dependence::none;
  } else {
    behavior_.mapping = same ? Dependence::address : Dependence::address_and_port;
  }
}

}  // namespace yuelao::client
