#include <string>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {

Instructions janus(const Request& request) {
  std::string text = "nat: {\n";
  if (const auto stun = find(request, "stun", "udp")) {
    text += "\tstun_server = " + in_libconfig(request.host) +
            "\n\tstun_port = " + std::to_string(stun->port) + "\n";
  }
  const auto udp = find(request, "turn", "udp");
  const auto turn = udp ? udp : find(request, "turn", "tcp");
  if (turn) {
    text += "\tturn_server = " + in_libconfig(request.host) +
            "\n\tturn_port = " + std::to_string(turn->port) +
            "\n\tturn_type = " + in_libconfig(turn->transport) +
            "\n\tturn_user = " + in_libconfig(request.user.name) +
            "\n\tturn_pwd = " + in_libconfig(request.user.password.reveal()) + "\n";
  }
  return {{{"/etc/janus/janus.jcfg", "Into its section nat. Then: systemctl restart janus",
            text + "}\n"}},
          {"This is for Janus itself, behind a NAT that hides it. Browsers get their ICE servers "
           "from your own application: `yuelao credentials --json` prints one.",
           "Janus asks the STUN server at its start and does not start without an answer: start "
           "yuelao first."}};
}

}  // namespace yuelao::integrate
