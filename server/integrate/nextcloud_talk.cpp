#include <string>

#include "server/integrate/quote.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::integrate {
namespace {

constexpr std::string_view occ = "sudo -u www-data php occ ";

std::string turn_command(const Request& request, std::string_view schemes, std::uint16_t port,
                         std::string_view transports) {
  return std::string{occ} + "talk:turn:add --secret=" + in_shell(request.secret.reveal()) + " " +
         std::string{schemes} + " " + request.host + ":" + std::to_string(port) + " " +
         std::string{transports} + "\n";
}

// Talk makes all its URLs from one host:port, schemes and transports; where the TCP port
// takes TLS too, that one port does for all four.
std::string turn_commands(const Request& request) {
  std::string text;
  const auto udp = find(request, "turn", "udp");
  const auto tcp = find(request, "turn", "tcp");
  const auto tls = find(request, "turns", "tcp");
  const bool joined = udp && tcp && udp->port == tcp->port;
  const auto* const schemes = request.tls_on_tcp ? "turn,turns" : "turn";
  if (joined) text += turn_command(request, schemes, udp->port, "udp,tcp");
  if (udp && !joined) text += turn_command(request, "turn", udp->port, "udp");
  if (tcp && !joined) text += turn_command(request, schemes, tcp->port, "tcp");
  // Another port than that one, such as 443 for firewalls that let nothing else through.
  const bool further = tls && !(request.tls_on_tcp && tcp && tcp->port == tls->port);
  if (further) text += turn_command(request, "turns", tls->port, "tcp");
  return text;
}

}  // namespace

Instructions nextcloud_talk(const Request& request) {
  Instructions all;
  std::string text;
  if (const auto stun = find(request, "stun", "udp")) {
    text += std::string{occ} + "talk:stun:add " + request.host + ":" + std::to_string(stun->port) +
            "\n";
  }
  text += turn_commands(request);
  all.snippets.push_back({"a shell on the Nextcloud machine, in Nextcloud's directory",
                          "The same as Administration settings, Talk, STUN and TURN servers",
                          text});
  all.notes = {
      "`occ` takes the secret as an argument, which other users of that machine can see while it "
      "runs: the settings page takes it without.",
      "The button beside the server in the settings tests it: a tick within ten seconds.",
  };
  if (!find(request, "turns", "tcp")) {
    all.notes.emplace_back(
        "Without a certificate there is no `turns`: guests whose firewall lets only TLS through "
        "stay out.");
  }
  if (request.web_server) {
    all.notes.emplace_back(
        "Apache instead of nginx: its Listen and virtual host of 443 move to the same address, "
        "with "
        "RemoteIPProxyProtocol On (mod_remoteip); leave `plain` out.");
  }
  return all;
}

}  // namespace yuelao::integrate
