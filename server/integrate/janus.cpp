#include <string>

#include "server/integrate/credentials_api.hpp"
#include "server/integrate/janus_nat.hpp"
#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {
namespace {

std::string static_user(const Request& request) {
  const auto udp = find(request, "turn", "udp");
  const auto turn = udp ? udp : find(request, "turn", "tcp");
  if (!turn) return "";
  return "\tturn_server = " + in_libconfig(request.host) +
         "\n\tturn_port = " + std::to_string(turn->port) +
         "\n\tturn_type = " + in_libconfig(turn->transport) +
         "\n\tturn_user = " + in_libconfig(request.user.name) +
         "\n\tturn_pwd = " + in_libconfig(request.user.password.reveal()) + "\n";
}

}  // namespace

Instructions janus(const Request& request) {
  const auto turn =
      request.api ? janus_rest_api(api_url(request, credentials_path), request.api->key.reveal())
                  : static_user(request);
  Instructions all{
      {{"/etc/janus/janus.jcfg", "Into its section nat. Then: systemctl restart janus",
        janus_nat(request, turn)}},
      {"This is for Janus itself, behind a NAT that hides it. Browsers get their ICE servers from "
       "your own application: `yuelao credentials --json` prints one.",
       "Janus asks the STUN server at its start and does not start without an answer: start yuelao "
       "first."}};
  if (request.api) {
    for (auto& note : janus_api_notes(request)) all.notes.push_back(std::move(note));
  }
  return all;
}

}  // namespace yuelao::integrate
