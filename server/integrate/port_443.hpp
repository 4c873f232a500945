#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/integrate/system.hpp"

namespace yuelao::integrate {

inline constexpr std::uint16_t https = 443;

// Where a web server behind yuelao takes what turned out not to be TURN once TLS had
// ended: the port after its TLS port. On another machine nowhere, as that would be pages
// in the clear on a network.
std::optional<Endpoint> plain_port_of(const Endpoint& web_server);

// What nginx changes to stand behind yuelao, with its site in the file `site`.
// `request.web_server` is set.
Snippet nginx_behind(const Request& request, std::string_view site);

}  // namespace yuelao::integrate
