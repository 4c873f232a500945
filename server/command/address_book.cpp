#include "server/command/address_book.hpp"

#include <algorithm>
#include <iterator>

#include "server/command/addresses.hpp"

namespace yuelao::server {

AddressBook::AddressBook(LookAround look_around) : look_around_{std::move(look_around)} {}

std::vector<IpAddress> AddressBook::look_up(const Machine& machine, const std::string& host) {
  auto found = machine.look_up(host);
  if (!found.empty()) return names_[host] = std::move(found);
  silent_.insert(host + " cannot be looked up: what is known of it stays in use, check the name " +
                 "and the resolver.");
  const auto known = names_.find(host);
  return known == names_.end() ? std::vector<IpAddress>{} : known->second;
}

std::optional<IpAddress> AddressBook::seen_as(const Machine& machine,
                                              const config::StunServer& server,
                                              const IpAddress& from) {
  const std::pair key{server.host + ":" + std::to_string(server.port), from};
  const auto sentence =
      "the STUN server " + key.first + " does not answer over " +
      (from.family() == Family::ipv4 ? "IPv4" : "IPv6") +
      ": clients are told the public address it named last, or else this machine's own; check "
      "`external_address` and the firewall.";
  // Who is silent to one address is not waited for at the next.
  const bool asked_in_vain = silent_.contains(sentence);
  const auto seen = asked_in_vain ? std::nullopt : machine.seen_as(server, from);
  if (seen) return seen_[key] = *seen;
  silent_.insert(sentence);
  if (const auto known = seen_.find(key); known != seen_.end()) return known->second;
  // From another address it may be the same public one still.
  const auto similar = std::ranges::find_if(seen_, [&](const auto& one) {
    return one.first.first == key.first && one.second.family() == from.family();
  });
  return similar == seen_.end() ? std::nullopt : std::optional{similar->second};
}

Machine AddressBook::remembering(const Machine& machine) {
  Machine result = machine;
  result.look_up = [this, machine](const std::string& host) { return look_up(machine, host); };
  result.seen_as = [this, machine](const config::StunServer& server, const IpAddress& from) {
    return seen_as(machine, server, from);
  };
  return result;
}

std::expected<void, std::string> AddressBook::resolve_on(const Machine& machine,
                                                         config::Config& config) {
  surroundings_ = {machine.interfaces, machine.default_ipv4, machine.default_ipv6};
  const auto before = std::exchange(silent_, {});
  auto done = resolve_addresses(config, remembering(machine));
  news_.clear();
  std::ranges::set_difference(silent_, before, std::back_inserter(news_));
  return done;
}

std::expected<void, std::string> AddressBook::resolve(config::Config& config) {
  return resolve_on(look_around_(), config);
}

Location AddressBook::locate_on(const Machine& machine, config::Config& config) {
  const auto before = silent_;
  const auto done = resolve_on(machine, config);
  Location location{
      .relay_addresses = {}, .own_addresses = {}, .failures = silent_.size(), .warnings = news_};
  if (done) {
    location.relay_addresses = std::move(config.turn.relay_addresses);
    location.own_addresses = std::move(config.turn.peers.own_addresses);
    return location;
  }
  ++location.failures;
  const auto sentence = "the addresses stay what they were: " + done.error();
  silent_.insert(sentence);
  if (!before.contains(sentence)) location.warnings.push_back(sentence);
  return location;
}

Location AddressBook::locate(config::Config config) { return locate_on(look_around_(), config); }

std::optional<Location> AddressBook::locate_if_moved(config::Config config) {
  const auto machine = look_around_();
  const Surroundings now{machine.interfaces, machine.default_ipv4, machine.default_ipv6};
  if (now == surroundings_ && silent_.empty()) return std::nullopt;
  return locate_on(machine, config);
}

}  // namespace yuelao::server
