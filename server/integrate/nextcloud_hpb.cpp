#include <string>
#include <utility>

#include "protocol/stun/credentials.hpp"
#include "server/integrate/credentials_api.hpp"
#include "server/integrate/janus_nat.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {
namespace {

constexpr std::string_view browsers_note =
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

std::string turn_servers(const Request& request) {
  std::string all;
  for (const auto& service : request.services) {
    if (service.scheme == "stun") continue;
    all += (all.empty() ? "" : ",") + url(request, service);
  }
  return all;
}

Snippet janus_file(const Request& request, std::string what, const std::string& rest_api) {
  return {"/etc/janus/janus.jcfg", std::move(what),
          janus_nat(request, "\tfull_trickle = true\n" + rest_api)};
}

// Janus asks the signaling server, which makes the credentials itself.
Instructions by_signaling_server(const Request& request) {
  const auto key = api_key(request.secret);
  return {{{"/etc/nextcloud-spreed-signaling/server.conf",
            "The signaling server, instead of its section [turn] (elsewhere than in Debian: "
            "/etc/signaling/server.conf). Then: systemctl restart nextcloud-spreed-signaling",
            "[turn]\napikey = " + key + "\nsecret = " + std::string{request.secret.reveal()} +
                "\nservers = " + turn_servers(request) + "\n"},
           janus_file(request,
                      "Janus, into its section nat; 8080 is the port of [http] listen in "
                      "server.conf. Then: systemctl restart janus",
                      janus_rest_api("http://127.0.0.1:8080/turn/credentials", key))},
          {}};
}

// Janus asks yuelao, and the secret stays there.
Instructions by_yuelao(const Request& request) {
  Instructions all{
      {janus_file(request, "Janus, into its section nat. Then: systemctl restart janus",
                  janus_rest_api(api_url(request, credentials_path), request.api->key.reveal()))},
      {"The section [turn] of the signaling server's server.conf is for Janus alone: "
       "leave it out."}};
  for (auto& note : janus_api_notes(request)) all.notes.push_back(std::move(note));
  return all;
}

}  // namespace

Instructions nextcloud_hpb(const Request& request) {
  auto all = request.api ? by_yuelao(request) : by_signaling_server(request);
  all.notes.emplace_back(browsers_note);
  all.notes.emplace_back(
      "Janus asks the STUN server at its start and does not start without an answer: start yuelao "
      "first.");
  return all;
}

}  // namespace yuelao::integrate
