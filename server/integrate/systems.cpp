#include "server/integrate/systems.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "config/suggest.hpp"

namespace yuelao::integrate {
namespace {

constexpr std::uint16_t usual = 3478;
// Briefing's own STUN server holds UDP 3478 and ends when it cannot have it.
constexpr std::uint16_t beside_briefing = 3479;

constexpr WebServer nginx{WebServer::Kind::nginx, "the site of its pages in /etc/nginx"};
constexpr WebServer nginx_of_jitsi{WebServer::Kind::nginx,
                                   "/etc/nginx/sites-available/YOUR-MEET-DOMAIN.conf"};
constexpr WebServer built_in{WebServer::Kind::built_in, ""};
constexpr WebServer nextcloud_has_it{
    WebServer::Kind::none,
    "Browsers get their TURN servers from Nextcloud, not from the backend: give --share-443 to "
    "`yuelao integrate nextcloud-talk`."};
constexpr WebServer nobody_asks_janus{
    WebServer::Kind::none,
    "Janus has no use for port 443: the browsers behind strict firewalls get their ICE servers "
    "from your own application, so give those turns: on 443 (docs/port-443.md)."};
constexpr WebServer haproxy_shares{
    WebServer::Kind::none,
    "BigBlueButton's own HAProxy shares port 443 between its pages and TURN already: --turns-port "
    "443 instead of --share-443."};

constexpr std::array all_systems{
    System{"jitsi", "Jitsi Meet", "Prosody hands out credentials (XEP-0215)", Credential::rest,
           Media::server, usual, Asks::page, nginx_of_jitsi, jitsi},
    System{"nextcloud-talk", "Nextcloud Talk", "credentials from its admin settings",
           Credential::rest, Media::peers, usual, Asks::nobody, nginx, nextcloud_talk},
    System{"nextcloud-hpb", "Nextcloud Talk HPB", "its high-performance backend and Janus",
           Credential::rest, Media::server, usual, Asks::server, nextcloud_has_it, nextcloud_hpb},
    System{"janus", "Janus", "the media server itself behind a NAT", Credential::static_user,
           Media::server, usual, Asks::server, nobody_asks_janus, janus},
    System{"bigbluebutton", "BigBlueButton", "turn-stun-servers.xml", Credential::rest,
           Media::only_server, usual, Asks::nobody, haproxy_shares, bigbluebutton},
    System{"mirotalk-p2p", "MiroTalk P2P", "one user and password for everybody",
           Credential::static_user, Media::peers, usual, Asks::nobody, nginx, mirotalk_p2p},
    System{"mirotalk-c2c", "MiroTalk C2C", "one user and password for everybody",
           Credential::static_user, Media::peers, usual, Asks::nobody, nginx, mirotalk_c2c},
    System{"mirotalk-bro", "MiroTalk BRO", "one user and password for everybody",
           Credential::static_user, Media::peers, usual, Asks::nobody, nginx, mirotalk_bro},
    System{"briefing", "Briefing (brie.fi/ng)", "one user and password; yuelao on port 3479",
           Credential::static_user, Media::peers, beside_briefing, Asks::nobody, nginx, briefing},
    System{"livekit", "LiveKit", "one user and password for everybody", Credential::static_user,
           Media::server, usual, Asks::nobody, nginx, livekit},
    System{"matrix", "Matrix (Synapse)", "one-to-one calls", Credential::rest, Media::peers, usual,
           Asks::nobody, nginx, matrix},
    System{"galene", "Galene", "data/ice-servers.json", Credential::rest, Media::server, usual,
           Asks::nobody, built_in, galene},
};

struct Unneeded {
  std::string_view name;
  std::string_view why;
};

// Systems a person may well ask for, and that have no use for a TURN server of one's own.
constexpr std::array unneeded{
    Unneeded{"mirotalk-sfu",
             "MiroTalk SFU uses neither STUN nor TURN: its clients reach the mediasoup ports of "
             "the server itself, so open those in the firewall."},
    Unneeded{"mirotalk-web",
             "MiroTalk WEB only schedules rooms of the other MiroTalks: integrate the one that "
             "holds the calls, such as mirotalk-p2p."},
    Unneeded{"brave-talk",
             "Brave Talk runs on 8x8's servers and has nothing to configure: its self-hosted "
             "equivalent is Jitsi Meet, `yuelao integrate jitsi`."},
};

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  names.reserve(all_systems.size() + unneeded.size());
  for (const auto& system : all_systems) names.emplace_back(system.name);
  for (const auto& system : unneeded) names.emplace_back(system.name);
  return names;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string line{text};
  line.resize(std::max(line.size(), width), ' ');
  return line;
}

}  // namespace

std::span<const System> systems() { return all_systems; }

std::expected<const System*, std::string> system_named(std::string_view name) {
  const auto found = std::ranges::find(all_systems, name, &System::name);
  if (found != all_systems.end()) return &*found;
  const auto useless = std::ranges::find(unneeded, name, &Unneeded::name);
  if (useless != unneeded.end()) return std::unexpected{std::string{useless->why}};
  const auto names = known_names();
  std::string sentence = "there is no meeting system of this name: ";
  if (const auto meant = config::nearest(name, names); !meant.empty()) {
    return std::unexpected{sentence + "did you mean `" + std::string{meant} + "`?"};
  }
  return std::unexpected{sentence + "`yuelao integrate` lists them."};
}

std::string list_of_systems() {
  std::string text = "yuelao integrate SYSTEM prints what to put where, for:\n\n";
  for (const auto& system : all_systems) {
    text += "  " + padded(system.name, 16) + padded(system.title, 28) +
            std::string{system.summary} + "\n";
  }
  text += "\nNothing to do for:\n\n";
  for (const auto& system : unneeded) {
    text += "  " + padded(system.name, 16) + std::string{system.why} + "\n";
  }
  return text;
}

std::string url(const Request& request, const Service& service) {
  std::string text =
      std::string{service.scheme} + ":" + request.host + ":" + std::to_string(service.port);
  if (service.scheme != "stun") text += "?transport=" + std::string{service.transport};
  return text;
}

std::optional<Service> find(const Request& request, std::string_view scheme,
                            std::string_view transport) {
  for (const auto& service : request.services) {
    if (service.scheme == scheme && service.transport == transport) return service;
  }
  return std::nullopt;
}

bool loopback(const IpAddress& address) {
  if (address.family() == Family::ipv4) return address.octets()[0] == 127;
  return address == IpAddress::parse("::1");
}

}  // namespace yuelao::integrate
