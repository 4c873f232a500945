#include <nlohmann/json.hpp>
#include <string>

#include "server/integrate/systems.hpp"

namespace yuelao::integrate {

Instructions galene(const Request& request) {
  auto urls = nlohmann::ordered_json::array();
  for (const auto& service : request.services) {
    // TURN is a superset of STUN: Galene needs no stun: beside it.
    if (service.scheme != "stun") urls.push_back(url(request, service));
  }
  nlohmann::ordered_json server;
  server["urls"] = urls;
  server["username"] = "galene";
  server["credential"] = std::string{request.secret.reveal()};
  // Galene then signs a name of its own for each client instead of sending this secret.
  server["credentialType"] = "hmac-sha1";
  Instructions all{
      {{"data/ice-servers.json in Galene's directory",
        "The whole file, readable for galene only: chmod 600. Galene reads it again within "
        "minutes",
        nlohmann::ordered_json::array({server}).dump(2) + "\n"}},
      {"While this file exists, Galene's built-in TURN server stays off, unless -turn says "
       "otherwise."}};
  if (request.web_server) {
    all.snippets.push_back({"the command line of Galene",
                            "This option besides those it has, so that yuelao has port 443. Start "
                            "Galene again, and only then yuelao",
                            "-http " + request.web_server->to_string() + "\n"});
    all.notes.emplace_back(
        "Galene knows no PROXY header: in its log all clients come from yuelao's address.");
  }
  return all;
}

}  // namespace yuelao::integrate
