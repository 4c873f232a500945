#include "server/integrate/port_443.hpp"

#include <string>

namespace yuelao::integrate {
namespace {

// Whom nginx sees connect: yuelao on the same machine, or on one that it cannot know.
std::string yuelaos_address(const IpAddress& web_server) {
  if (!loopback(web_server)) return "ADDRESS-OF-YUELAO";
  return web_server.family() == Family::ipv4 ? "127.0.0.1" : "::1";
}

}  // namespace

std::optional<Endpoint> plain_port_of(const Endpoint& web_server) {
  if (!loopback(web_server.address)) return std::nullopt;
  return Endpoint{web_server.address, static_cast<std::uint16_t>(web_server.port + 1)};
}

Snippet nginx_behind(const Request& request, std::string_view site) {
  const auto& tls = *request.web_server;
  auto text = "listen " + tls.to_string() + " ssl http2 proxy_protocol;\n";
  if (const auto plain = plain_port_of(tls)) {
    text += "listen " + plain->to_string() + " proxy_protocol;\n";
  }
  return {std::string{site},
          "nginx, in every server block that listens on 443, instead of those listen lines. Then: "
          "systemctl reload nginx, and only after it systemctl restart yuelao",
          text + "set_real_ip_from " + yuelaos_address(tls.address) +
              ";\nreal_ip_header proxy_protocol;\n"};
}

}  // namespace yuelao::integrate
