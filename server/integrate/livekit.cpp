#include <string>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {

Instructions livekit(const Request& request) {
  std::string text = "rtc:\n";
  if (const auto stun = find(request, "stun", "udp")) {
    text +=
        "  stun_servers:\n    - " + in_yaml(request.host + ":" + std::to_string(stun->port)) + "\n";
  }
  text += "  turn_servers:\n";
  for (const auto& service : request.services) {
    if (service.scheme == "stun") continue;
    const bool tls = service.scheme == "turns";
    text += "    - host: " + in_yaml(request.host) +
            "\n      port: " + std::to_string(service.port) +
            "\n      protocol: " + (tls ? "tls" : std::string{service.transport}) +
            "\n      username: " + in_yaml(request.user.name) +
            "\n      credential: " + in_yaml(request.user.password.reveal()) + "\n";
  }
  text += "turn:\n  enabled: false\n";
  return {{{"/etc/livekit.yaml, or the file your LiveKit reads",
            "Into its sections rtc and turn. Then start LiveKit again", text}},
          {"The name and password reach every participant, and never expire.",
           "LiveKit's own TURN server is turned off above: both would want UDP 3478."}};
}

}  // namespace yuelao::integrate
