#include "server/command/integration_wish.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "server/integrate/port_443.hpp"

namespace yuelao::server {
namespace {

namespace fs = std::filesystem;
using integrate::ApiPlace;
using integrate::System;
using integrate::WebServer;
template <typename T>
using Result = std::expected<T, std::string>;

constexpr std::string_view letters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

bool only(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

// A host is put into many kinds of file: only what is a name or an address passes.
Result<void> check_names(const IntegrationWish& wish) {
  if (!IpAddress::parse(wish.host) && !only(wish.host, letters)) {
    return std::unexpected{
        "--host is a name or an address, such as turn.example.org: leave out everything else."};
  }
  if (wish.certificate.empty() != wish.key.empty()) {
    return std::unexpected{"a certificate needs its key: give both --certificate and --key."};
  }
  for (const auto& server : wish.media_servers) {
    if (server == this_machine_word || IpRange::parse(server)) continue;
    return std::unexpected{
        "a --media-server is an address such as 10.0.0.20, or `here` for this "
        "machine: write one of them."};
  }
  return {};
}

Result<std::optional<Endpoint>> web_server(const System& system, const IntegrationWish& wish) {
  if (wish.share_443.empty()) return std::nullopt;
  if (system.web_server.kind == WebServer::Kind::none) {
    return std::unexpected{std::string{system.web_server.text}};
  }
  const auto endpoint = Endpoint::parse(wish.share_443);
  constexpr auto last = std::numeric_limits<std::uint16_t>::max();
  // The port after it is the web server's, too.
  if (!endpoint || endpoint->address.unspecified() || endpoint->port == 0 ||
      endpoint->port == last || endpoint->port == integrate::https) {
    return std::unexpected{
        "--share-443 is where the web server moves to, off port 443: write its address and a port, "
        "such as 127.0.0.1:8443."};
  }
  return endpoint;
}

// "https://meet.example.org", with what else the caller allows after the scheme. It is put
// between quotes of many languages.
bool web_address(std::string_view text, std::string_view also) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    const auto rest = text.substr(scheme.size());
    return !rest.empty() && rest.front() != '/' &&
           only(rest, std::string{letters} + ":[]" + std::string{also});
  }
  return false;
}

Result<ApiPlace> api_place(const IntegrationWish& wish) {
  ApiPlace api{std::nullopt, wish.credentials_url, wish.credentials_origin};
  if (!wish.credentials_listen.empty()) {
    api.listen = Endpoint::parse(wish.credentials_listen);
    if (!api.listen || api.listen->port == 0) {
      return std::unexpected{
          "--credentials-listen is an address and a port of this machine: write one such as "
          "127.0.0.1:9642."};
    }
  }
  while (api.url.ends_with('/')) api.url.pop_back();
  if (!api.url.empty() && !web_address(api.url, "/_~")) {
    return std::unexpected{
        "--credentials-url is what comes before /turn/credentials: write one such as "
        "https://meet.example.org."};
  }
  if (!api.origin.empty() && !web_address(api.origin, "")) {
    return std::unexpected{
        "--credentials-origin is the origin of a web page, without a path: write one such as "
        "https://meet.example.org."};
  }
  return api;
}

Result<std::optional<ApiPlace>> api(const System& system, const IntegrationWish& wish) {
  const bool wanted = wish.credentials == Credentials::asked_for ||
                      !wish.credentials_listen.empty() || !wish.credentials_url.empty() ||
                      !wish.credentials_origin.empty();
  if (!wanted) return std::nullopt;
  if (system.asks == integrate::Asks::nobody) {
    return std::unexpected{std::string{system.title} +
                           " asks nobody for credentials over HTTP (Jitsi's page and Janus do): "
                           "leave out --credentials."};
  }
  if (system.asks == integrate::Asks::server && !wish.credentials_origin.empty()) {
    return std::unexpected{"no web page asks for the credentials of " + std::string{system.title} +
                           ": leave out --credentials-origin."};
  }
  auto place = api_place(wish);
  if (!place) return std::unexpected{place.error()};
  return std::move(*place);
}

// File names on the command line start from where it was typed, those in the file do not.
std::string absolute(const std::string& file) {
  return file.empty() ? file : fs::absolute(file).string();
}

}  // namespace

std::expected<integrate::Place, std::string> place_for(const System& system,
                                                       const IntegrationWish& wish) {
  if (const auto fine = check_names(wish); !fine) return std::unexpected{fine.error()};
  const auto moved = web_server(system, wish);
  if (!moved) return std::unexpected{moved.error()};
  const auto asking = api(system, wish);
  if (!asking) return std::unexpected{asking.error()};
  return integrate::Place{
      wish.host, absolute(wish.certificate), absolute(wish.key), wish.media_servers, *moved,
      *asking};
}

}  // namespace yuelao::server
