#include <string>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {
namespace {

constexpr std::string_view lifetime = "86400";

std::string lua_entry(const Request& request, const Service& service) {
  std::string entry = "  { type = " + in_lua(service.scheme) + ", host = " + in_lua(request.host) +
                      ", port = " + std::to_string(service.port) +
                      ", transport = " + in_lua(service.transport);
  // Without `secret` in each of them Prosody sends a service without credentials.
  if (service.scheme != "stun") {
    entry += ", secret = true, ttl = " + std::string{lifetime} + R"(, algorithm = "turn")";
  }
  return entry + " },\n";
}

Snippet prosody(const Request& request) {
  std::string text =
      "external_service_secret = " + in_lua(request.secret.reveal()) + ";\nexternal_services = {\n";
  for (const auto& service : request.services) text += lua_entry(request, service);
  return {"/etc/prosody/conf.avail/YOUR-MEET-DOMAIN.cfg.lua",
          "Jitsi from Debian packages: instead of the lines of these two names at the top; "
          "\"external_services\" belongs into modules_enabled of the first VirtualHost. Then: "
          "systemctl restart prosody",
          text + "};\n"};
}

// docker-jitsi-meet's Prosody builds the same list from these.
Snippet docker(const Request& request) {
  std::string text = "TURN_CREDENTIALS=" + in_env(request.secret.reveal()) +
                     "\nTURN_TTL=" + std::string{lifetime} + "\n";
  if (const auto stun = find(request, "stun", "udp")) {
    text += "STUN_HOST=" + request.host + "\nSTUN_PORT=" + std::to_string(stun->port) + "\n";
  }
  const auto udp = find(request, "turn", "udp");
  const auto tcp = find(request, "turn", "tcp");
  if (udp || tcp) {
    const bool both = udp && tcp && udp->port == tcp->port;
    const Service& first = udp ? *udp : *tcp;
    text += "TURN_HOST=" + request.host + "\nTURN_PORT=" + std::to_string(first.port) +
            "\nTURN_TRANSPORT=" + (both ? "udp,tcp" : std::string{first.transport}) + "\n";
  }
  if (const auto tls = find(request, "turns", "tcp")) {
    text += "TURNS_HOST=" + request.host + "\nTURNS_PORT=" + std::to_string(tls->port) + "\n";
  }
  return {".env of docker-jitsi-meet",
          "Jitsi from docker-jitsi-meet, instead of the Prosody file. Then: docker compose up -d",
          text};
}

Snippet bridge(const Request& request, const Service& stun) {
  return {"/etc/jitsi/videobridge/jvb.conf",
          "Where the bridge is behind a NAT and asks for its own address. Then: systemctl restart "
          "jitsi-videobridge2",
          "ice4j {\n  harvest {\n    mapping {\n      stun {\n        addresses = [ \"" +
              request.host + ":" + std::to_string(stun.port) + "\" ]\n      }\n    }\n  }\n}\n"};
}

}  // namespace

Instructions jitsi(const Request& request) {
  Instructions all{{prosody(request), docker(request)}, {}};
  if (const auto stun = find(request, "stun", "udp"))
    all.snippets.push_back(bridge(request, *stun));
  all.notes = {
      "Not mod_turn_external: Debian's gives `turns` no credentials. external_services does.",
      "Browsers use TURN for calls of two; towards the bridge Jitsi takes only the entries with "
      "transport tcp.",
  };
  return all;
}

}  // namespace yuelao::integrate
