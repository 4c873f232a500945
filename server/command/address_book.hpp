#pragma once

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "server/location.hpp"
#include "server/machine.hpp"

namespace yuelao::server {

// Finds a configuration's addresses again and again. Who is asked and does not answer, a
// resolver or a STUN server, is taken to say what he said last. One thread at a time.
class AddressBook {
 public:
  using LookAround = std::function<Machine()>;
  explicit AddressBook(LookAround look_around = this_machine);

  // As resolve_addresses() (addresses.hpp).
  std::expected<void, std::string> resolve(config::Config& config);
  // A sentence for each who did not answer in the last resolve() and did before.
  std::vector<std::string> news() const { return news_; }

  // The same for a server that runs. Empty when the machine's own addresses are what
  // they were the last time and nobody was silent then.
  std::optional<Location> locate_if_moved(config::Config config);
  Location locate(config::Config config);

 private:
  using Seen = std::map<std::pair<std::string, IpAddress>, IpAddress>;
  // What can be seen without asking anybody.
  struct Surroundings {
    std::vector<IpAddress> interfaces;
    std::optional<IpAddress> default_ipv4;
    std::optional<IpAddress> default_ipv6;
    friend bool operator==(const Surroundings&, const Surroundings&) = default;
  };

  Machine remembering(const Machine& machine);
  std::vector<IpAddress> look_up(const Machine& machine, const std::string& host);
  std::optional<IpAddress> seen_as(const Machine& machine, const config::StunServer& server,
                                   const IpAddress& from);
  std::expected<void, std::string> resolve_on(const Machine& machine, config::Config& config);
  Location locate_on(const Machine& machine, config::Config& config);

  LookAround look_around_;
  Surroundings surroundings_;
  std::map<std::string, std::vector<IpAddress>> names_;
  Seen seen_;
  std::set<std::string> silent_;  // the sentences of the last time
  std::vector<std::string> news_;
};

}  // namespace yuelao::server
