#include <string>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {
namespace {

// MiroTalk knows ONE stun: and ONE turn: URL. UDP is what nearly everybody gets through
// with; a TURN URI without a transport means it (RFC 7065 §3).
std::string turn_url(const Request& request) {
  const auto tls = find(request, "turns", "tcp");
  // Who shares port 443 does it for guests that get through nowhere else.
  if (request.web_server && tls) return url(request, *tls);
  if (const auto udp = find(request, "turn", "udp")) {
    return "turn:" + request.host + ":" + std::to_string(udp->port);
  }
  const auto tcp = find(request, "turn", "tcp");
  const auto other = tcp ? tcp : tls;
  return other ? url(request, *other) : "";
}

Snippet env_file(const Request& request) {
  std::string text;
  if (const auto stun = find(request, "stun", "udp")) {
    text += "STUN_SERVER_ENABLED=true\nSTUN_SERVER_URL=" + url(request, *stun) + "\n";
  } else {
    text += "STUN_SERVER_ENABLED=false\n";
  }
  text += "TURN_SERVER_ENABLED=true\nTURN_SERVER_URL=" + turn_url(request) +
          "\nTURN_SERVER_USERNAME=" + in_env(request.user.name) +
          "\nTURN_SERVER_CREDENTIAL=" + in_env(request.user.password.reveal()) + "\n";
  return {".env of MiroTalk", "Instead of the lines of these names. Then start MiroTalk again",
          text};
}

Instructions common(const Request& request) {
  Instructions all{{env_file(request)}, {}};
  all.notes.emplace_back(
      "MiroTalk knows one TURN URL and hands it, with name and password, to every visitor. Guests "
      "whose firewall stops UDP get through only when that one URL is for TCP or TLS.");
  const auto tls = find(request, "turns", "tcp");
  if (tls && !request.web_server) {
    all.notes.emplace_back("For TLS: TURN_SERVER_URL=" + url(request, *tls));
  }
  return all;
}

}  // namespace

Instructions mirotalk_p2p(const Request& request) {
  auto all = common(request);
  all.notes.emplace_back("MiroTalk's page /icetest checks it: srflx is STUN, relay is TURN.");
  return all;
}

Instructions mirotalk_c2c(const Request& request) { return common(request); }

Instructions mirotalk_bro(const Request& request) {
  auto all = common(request);
  all.notes.emplace_back("Only with BROADCASTING=p2p: as an SFU MiroTalk BRO uses no TURN.");
  return all;
}

}  // namespace yuelao::integrate
