#include <string>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {

Instructions matrix(const Request& request) {
  std::string text = "turn_uris:\n";
  for (const auto& service : request.services) {
    if (service.scheme != "stun") text += "  - " + in_yaml(url(request, service)) + "\n";
  }
  text += "turn_shared_secret: " + in_yaml(request.secret.reveal()) +
          "\nturn_user_lifetime: 24h\nturn_allow_guests: false\n";
  return {{{"/etc/matrix-synapse/homeserver.yaml",
            "Synapse, instead of the lines of these names. Then: systemctl restart matrix-synapse",
            text}},
          {"For one-to-one calls. Element Call brings LiveKit: `yuelao integrate livekit`.",
           "turn_allow_guests: true if people without an account of yours are to call."}};
}

}  // namespace yuelao::integrate
