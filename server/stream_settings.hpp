#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "config/config.hpp"
#include "protocol/ip_range.hpp"
#include "server/tls_context.hpp"

namespace yuelao::server {

// What holds for new TCP and TLS connections; those that are open keep what they began with.
struct StreamSettings {
  std::shared_ptr<TlsContext> tls;  // null: no TLS
  // Whose PROXY headers are believed.
  std::vector<IpRange> proxies;
  // Who shares the tls listeners.
  std::optional<config::WebServer> web_server;
};

}  // namespace yuelao::server
