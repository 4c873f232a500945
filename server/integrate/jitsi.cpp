#include <string>

#include "server/integrate/credentials_api.hpp"
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

// The test before joining asks for its ICE servers. Its page, and with it the key, is open
// to whoever can open the meeting.
Snippet pre_call_test(const Request& request) {
  const auto& api = *request.api;
  const auto path = std::string{ice_servers_path} + "?key=" + std::string{api.key.reveal()};
  return {
      "/etc/jitsi/meet/YOUR-MEET-DOMAIN-config.js",
      "The test of the connection before joining: at the end of the file (docker-jitsi-meet: of "
      "custom-config.js)",
      "config.prejoinConfig = {\n  ...config.prejoinConfig,\n  enabled: true,\n"
      "  preCallTestEnabled: true,\n  preCallTestICEUrl: " +
          in_json(api.url + path) + ",\n};\n"};
}

Snippet passing_on(const Request& request) {
  return {"/etc/nginx/sites-available/YOUR-MEET-DOMAIN.conf",
          "Into the server block of the pages, on yuelao's machine, so that the page asks its own "
          "origin. Then: systemctl reload nginx",
          "location = " + std::string{ice_servers_path} + " {\n  proxy_pass " +
              api_behind_web_server(request) + ";\n}\n"};
}

void add_pre_call_test(const Request& request, Instructions& all) {
  const auto& api = *request.api;
  all.snippets.push_back(pre_call_test(request));
  all.notes.emplace_back(
      "Whoever opens the page of the pre-call test sees its key and can relay: the key is the "
      "page's "
      "own, and a short `credentials.lifetime` does for a test.");
  if (api.url.empty()) {
    all.snippets.push_back(passing_on(request));
    all.notes.emplace_back(
        "All pages ask through nginx and share one `credentials.rate`: raise it for big meetings, "
        "and limit there (limit_req).");
  } else if (api.origin.empty()) {
    all.notes.emplace_back(
        "Where that URL is not on the page's own origin, browsers let the page read it only with "
        "--credentials-origin https://YOUR-MEET-DOMAIN.");
  }
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
  if (request.api) add_pre_call_test(request, all);
  if (request.web_server) {
    all.notes.emplace_back(
        "An old Jitsi shared 443 by nginx's stream module, with its pages on 4444: remove "
        "/etc/nginx/modules-enabled/60-jitsi-meet.conf.");
    all.notes.emplace_back(
        "The nginx of docker-jitsi-meet expects no PROXY header: there `web_server` is its `tls` "
        "alone, with HTTPS_PORT of .env as the port.");
  }
  return all;
}

}  // namespace yuelao::integrate
