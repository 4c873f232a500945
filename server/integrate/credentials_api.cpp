#include "server/integrate/credentials_api.hpp"

namespace yuelao::integrate {
namespace {

std::string http(const std::string& host, std::uint16_t port) {
  return "http://" + host + ":" + std::to_string(port);
}

}  // namespace

std::string api_url(const Request& request, std::string_view path) {
  const auto& [listen, url, origin, key] = *request.api;
  const auto at_listener = listen.address.unspecified() ? http(request.host, listen.port)
                                                        : "http://" + listen.to_string();
  return (url.empty() ? at_listener : url) + std::string{path};
}

std::string api_behind_web_server(const Request& request) {
  const auto& listen = request.api->listen;
  return listen.address.unspecified() ? http("127.0.0.1", listen.port)
                                      : "http://" + listen.to_string();
}

}  // namespace yuelao::integrate
