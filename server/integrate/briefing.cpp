#include <string>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {

Instructions briefing(const Request& request) {
  std::string text;
  const auto stun = find(request, "stun", "udp");
  if (stun) text += "BRIEFING_STUN_URL=" + url(request, *stun) + "\n";
  const auto udp = find(request, "turn", "udp");
  const auto tls = find(request, "turns", "tcp");
  const auto plain = udp ? udp : find(request, "turn", "tcp");
  // Who shares port 443 does it for guests that get through nowhere else.
  const auto turn = request.web_server && tls ? tls : plain;
  if (turn) {
    text += "BRIEFING_TURN_URL=" + url(request, *turn) +
            "\nBRIEFING_TURN_USER=" + in_env(request.user.name) +
            "\nBRIEFING_TURN_PASSWORD=" + in_env(request.user.password.reveal()) + "\n";
  }
  Instructions all{{{".env.local of Briefing, or the environment of its container",
                     "Then start Briefing again", text}},
                   {"Briefing knows one TURN URL and hands it, with name and password, to every "
                    "visitor."}};
  if (stun && stun->port == 3478) {
    all.notes.emplace_back(
        "Briefing's embedded STUN server holds UDP 3478 and Briefing ends when that is taken: on "
        "the same machine let yuelao listen on 3479, `listen: [udp:3479, tcp:3479]`.");
  } else {
    all.notes.emplace_back(
        "yuelao stays off UDP 3478: Briefing's embedded STUN server holds it, and Briefing ends "
        "when it is taken.");
  }
  return all;
}

}  // namespace yuelao::integrate
