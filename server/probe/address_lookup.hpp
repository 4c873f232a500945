#pragma once

#include <expected>
#include <string>
#include <vector>

#include "protocol/endpoint.hpp"
#include "protocol/now.hpp"

namespace yuelao::probe {

// The addresses of a host as the system looks them up, in its order. The error says why
// there are none, without a full stop. Blocks until `deadline` at most.
std::expected<std::vector<IpAddress>, std::string> look_up(const std::string& host,
                                                           SteadyTime deadline);

}  // namespace yuelao::probe
