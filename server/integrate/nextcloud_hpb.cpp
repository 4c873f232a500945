#include <string>

#include "protocol/stun/credentials.hpp"
#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {
namespace {

constexpr std::string_view lifetime_note =
    "Browsers get their TURN servers from Nextcloud: `yuelao integrate nextcloud-talk` too.";

// What Janus shows the signaling server when it asks for credentials. Made of the secret,
// so that it is the same each time; letters and digits only, as it stands in a query.
std::string api_key(const Secret& secret) {
  std::string key;
  for (const char c : stun::rest_password(secret.reveal(), "nextcloud-hpb api key")) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (plain) key += c;
  }
  return key;
}

std::string servers(const Request& request) {
  std::string all;
  for (const auto& service : request.services) {
    if (service.scheme == "stun") continue;
    all += (all.empty() ? "" : ",") + url(request, service);
  }
  return all;
}

}  // namespace

Instructions nextcloud_hpb(const Request& request) {
  const auto key = api_key(request.secret);
  std::string janus = "nat: {\n";
  if (const auto stun = find(request, "stun", "udp")) {
    janus += "\tstun_server = " + in_libconfig(request.host) +
             "\n\tstun_port = " + std::to_string(stun->port) + "\n";
  }
  janus +=
      "\tfull_trickle = true\n"
      "\tturn_rest_api = \"http://127.0.0.1:8080/turn/credentials\"\n"
      "\tturn_rest_api_key = " +
      in_libconfig(key) + "\n\tturn_rest_api_method = \"GET\"\n}\n";
  return {{{"/etc/nextcloud-spreed-signaling/server.conf",
            "The signaling server, instead of its section [turn] (elsewhere than in Debian: "
            "/etc/signaling/server.conf). Then: systemctl restart nextcloud-spreed-signaling",
            "[turn]\napikey = " + key + "\nsecret = " + std::string{request.secret.reveal()} +
                "\nservers = " + servers(request) + "\n"},
           {"/etc/janus/janus.jcfg",
            "Janus, into its section nat; 8080 is the port of [http] listen in server.conf. Then: "
            "systemctl restart janus",
            janus}},
          {std::string{lifetime_note},
           "Janus asks the STUN server at its start and does not start without an answer: start "
           "yuelao first."}};
}

}  // namespace yuelao::integrate
