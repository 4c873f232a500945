#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/turn/options.hpp"

namespace yuelao::server {

// Where a server that runs finds itself: what turn::Options calls so, anew.
struct Location {
  std::vector<turn::RelayAddress> relay_addresses;  // empty: it could not be found out
  std::vector<IpAddress> own_addresses;
  std::size_t failures = 0;           // who was asked and did not answer
  std::vector<std::string> warnings;  // one sentence each, about failures that are new
};

}  // namespace yuelao::server
