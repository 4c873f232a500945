#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/integrate/system.hpp"

namespace yuelao::integrate {

// The section nat of janus.jcfg, with yuelao as STUN server; `lines` are what else it says.
std::string janus_nat(const Request& request, const std::string& lines);

// Where Janus asks for its credentials: `url` without a query.
std::string janus_rest_api(const std::string& url, std::string_view key);

// What to know of a Janus that asks yuelao; `request.api` is set.
std::vector<std::string> janus_api_notes(const Request& request);

}  // namespace yuelao::integrate
