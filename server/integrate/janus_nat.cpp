#include "server/integrate/janus_nat.hpp"

#include "server/integrate/credentials_api.hpp"
#include "server/integrate/quote.hpp"

namespace yuelao::integrate {

std::string janus_nat(const Request& request, const std::string& lines) {
  std::string text = "nat: {\n";
  if (const auto stun = find(request, "stun", "udp")) {
    text += "\tstun_server = " + in_libconfig(request.host) +
            "\n\tstun_port = " + std::to_string(stun->port) + "\n";
  }
  return text + lines + "}\n";
}

std::string janus_rest_api(const std::string& url, std::string_view key) {
  return "\tturn_rest_api = " + in_libconfig(url) + "\n\tturn_rest_api_key = " + in_libconfig(key) +
         "\n\tturn_rest_api_method = \"GET\"\n";
}

std::vector<std::string> janus_api_notes(const Request& request) {
  std::vector<std::string> notes{
      "Janus's machine must be able to look up the name in every URL: Janus 1.1.2 crashes where it "
      "cannot."};
  const auto& api = *request.api;
  if (api.url.empty() && loopback(api.listen.address)) {
    notes.emplace_back(
        "For a Janus on another machine: --credentials-listen with an address in a private "
        "network, or --credentials-url with an https: web server in front.");
  } else if (!api.url.starts_with("https:")) {
    notes.emplace_back(
        "Key and passwords cross the network as plain HTTP: keep it a private one, or put a web "
        "server with TLS in front and name it by --credentials-url.");
  }
  return notes;
}

}  // namespace yuelao::integrate
