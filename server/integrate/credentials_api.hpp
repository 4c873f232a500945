#pragma once

#include <string>
#include <string_view>

#include "server/integrate/system.hpp"

namespace yuelao::integrate {

// The draft's path, and the one that gives an RTCConfiguration.
inline constexpr std::string_view credentials_path = "/turn/credentials";
inline constexpr std::string_view ice_servers_path = "/turn/ice-servers";

// What a server asks, where nobody said otherwise at yuelao's own listener.
// `request.api` is set.
std::string api_url(const Request& request, std::string_view path);

// What a web server on yuelao's machine passes requests on to.
std::string api_behind_web_server(const Request& request);

}  // namespace yuelao::integrate
