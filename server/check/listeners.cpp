#include <fmt/format.h>

#include <algorithm>

#include "server/check/parts.hpp"
#include "server/port_owner.hpp"
#include "server/probe/explain.hpp"

namespace yuelao::check {
namespace {

using server::PortOwner;

// A port that the configuration names.
struct Port {
  Transport transport{};
  std::optional<IpAddress> address;
  std::uint16_t number = 0;
  std::string_view key;  // of the configuration
};

bool has(const std::vector<Port>& ports, const Port& wanted) {
  return std::ranges::any_of(ports, [&](const Port& port) {
    const bool same_protocol = over_udp(port.transport) == over_udp(wanted.transport);
    const bool everywhere = !port.address || port.address->unspecified();
    return same_protocol && port.number == wanted.number &&
           (everywhere || port.address == wanted.address);
  });
}

// RFC 5780 §6: each of its ports on each of its addresses.
void add_discovery(const config::Config& config, std::vector<Port>& ports) {
  const auto& discovery = config.turn.behavior_discovery;
  std::vector<Transport> transports{Transport::udp};
  const auto tcp = std::ranges::find(config.listen, Transport::tcp, &config::Listen::transport);
  if (tcp != config.listen.end()) transports.push_back(Transport::tcp);
  for (const auto transport : transports) {
    for (const auto& address : discovery.addresses) {
      for (const auto number : discovery.ports) {
        const Port port{transport, address.bound, number, "behavior_discovery.ports"};
        if (!has(ports, port)) ports.push_back(port);
      }
    }
  }
}

std::vector<Port> ports_of(const config::Config& config) {
  std::vector<Port> ports;
  ports.reserve(config.listen.size() + 2);
  for (const auto& [transport, address, number] : config.listen) {
    ports.push_back({transport, address, number, "listen"});
  }
  const auto add = [&](const std::optional<Endpoint>& at, std::string_view key) {
    if (at) ports.push_back({Transport::tcp, at->address, at->port, key});
  };
  add(config.metrics, "metrics.listen");
  add(config.credentials.listen, "credentials.listen");
  add_discovery(config, ports);
  return ports;
}

std::string title(const Port& port) {
  const std::string_view protocol = over_udp(port.transport) ? "UDP" : "TCP";
  auto text = fmt::format("{} port {}", protocol, port.number);
  if (port.address && !port.address->unspecified()) text += " of " + port.address->to_string();
  return text;
}

// By name alone: whether it is this server with this configuration, the URLs show.
bool is_ours(const PortOwner& owner) { return owner.program == "yuelao"; }

Step judge(const Port& port, const std::optional<PortOwner>& owner) {
  if (!owner) {
    return {"listener", Verdict::failed,
            title(port) +
                " is closed: start the server (`systemctl start yuelao`), or restart it "
                "if it began with another `" +
                std::string{port.key} + "`."};
  }
  if (owner->process == 0) {
    return {"listener", Verdict::attention,
            title(port) + " is open, and only root sees whose it is: run this as root."};
  }
  if (!is_ours(*owner)) {
    return {"listener", Verdict::failed,
            fmt::format("{} is held by {}: stop that program, or choose another port under `{}`.",
                        title(port), owner->to_string(), port.key)};
  }
  return {"listener", Verdict::works, title(port) + " is open."};
}

}  // namespace

Listeners check_listeners(const config::Config& config) {
  Listeners found;
  for (const auto& port : ports_of(config)) {
    const auto owner = server::port_owner(port.transport, port.address, port.number);
    if (owner && is_ours(*owner)) found.process = owner->process;
    found.steps.push_back(judge(port, owner));
  }
  return found;
}

Steps check_web_server(const config::WebServer& web_server, const Options& options) {
  Steps steps;
  for (const auto& at : {web_server.tls, web_server.plain}) {
    if (!at) continue;
    const probe::Place place{Transport::tcp, *at};
    const auto link = probe::open_link(place, options.trust, {},
                                       std::chrono::steady_clock::now() + std::chrono::seconds{3});
    if (link) {
      steps.push_back({"web server", Verdict::works,
                       "The web server that shares the port answers on " + at->to_string() + "."});
    } else {
      steps.push_back({"web server", Verdict::failed,
                       "Web pages do not open: " + probe::explain(link.error(), place)});
    }
  }
  return steps;
}

}  // namespace yuelao::check
