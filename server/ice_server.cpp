#include "server/ice_server.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/duration.hpp"
#include "protocol/stun/credentials.hpp"

namespace yuelao::server {
namespace {

using config::Config;
using config::Listen;
using turn::StaticUser;

constexpr std::size_t longest_user_name_bytes = 508;  // RFC 8489 §14.3
constexpr std::string_view denied_name =
    "this user is denied: take the name out of `denied_users`, or choose another one.";
constexpr std::string_view unusable_name = "no client can send this user name: choose another one.";

std::string in_url(const IpAddress& address) {
  return address.family() == Family::ipv6 ? "[" + address.to_string() + "]" : address.to_string();
}

void add_once(std::vector<std::string>& words, std::string word) {
  if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
}

// The names clients reach every listener by. A host name covers all of this machine's
// addresses, and is what a certificate is for.
std::vector<std::string> public_hosts(const Config& config) {
  std::vector<std::string> hosts;
  for (const auto& external : config.external_addresses) {
    if (!IpAddress::parse(external.public_host)) add_once(hosts, external.public_host);
  }
  if (!hosts.empty()) return hosts;
  for (const auto& relay : config.turn.relay_addresses) add_once(hosts, in_url(relay.advertised));
  return hosts;
}

std::vector<std::string> hosts_of(const Listen& listen, const Config& config) {
  if (!listen.address) return public_hosts(config);
  const auto& relays = config.turn.relay_addresses;
  const auto translated = std::ranges::find(relays, *listen.address, &turn::RelayAddress::bound);
  if (translated == relays.end() || translated->advertised == translated->bound) {
    return {in_url(*listen.address)};
  }
  // Behind a NAT: the name, or the public address this one stands for.
  for (const auto& external : config.external_addresses) {
    const bool ours = !external.bound || external.bound == listen.address;
    if (ours && !IpAddress::parse(external.public_host)) return {external.public_host};
  }
  return {in_url(translated->advertised)};
}

// A certificate is checked against the name in the URL, and few are for an address.
std::vector<std::string> tls_hosts_of(const Listen& listen, const Config& config) {
  auto hosts = hosts_of(listen, config);
  const bool named = std::ranges::none_of(hosts, [](const std::string& host) {
    return host.starts_with('[') || IpAddress::parse(host);
  });
  if (named || config.tls->host.empty()) return hosts;
  return {config.tls->host};
}

struct UrlForm {
  std::string_view scheme;
  std::string_view query;
};

void add_urls(const Config& config, Transport transport, UrlForm form,
              std::vector<std::string>& urls) {
  for (const auto& listen : config.listen) {
    if (listen.transport != transport) continue;
    const bool tls = form.scheme == "turns";
    for (const auto& host : tls ? tls_hosts_of(listen, config) : hosts_of(listen, config)) {
      add_once(urls, std::string{form.scheme} + ":" + host + ":" + std::to_string(listen.port) +
                         std::string{form.query});
    }
  }
}

bool denied(const turn::Credentials& server, std::string_view name) {
  return std::ranges::find(server.denied_users, name) != server.denied_users.end();
}

// Null: a REST credential it is.
std::expected<const StaticUser*, std::string> static_user_for(
    const turn::Credentials& server, const std::optional<std::string>& name) {
  const auto& users = server.users;
  if (!name) return server.rest_secrets.empty() && !users.empty() ? &users.front() : nullptr;
  const auto prepared = stun::opaque_string(*name);
  if (!prepared) return std::unexpected{std::string{unusable_name}};
  const auto found = std::ranges::find(users, *prepared, &StaticUser::name);
  return found == users.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::string> ice_urls(const Config& config) {
  std::vector<std::string> urls;
  add_urls(config, Transport::udp, {"stun", ""}, urls);
  add_urls(config, Transport::udp, {"turn", "?transport=udp"}, urls);
  add_urls(config, Transport::tcp, {"turn", "?transport=tcp"}, urls);
  if (!config.tls) return urls;
  add_urls(config, Transport::tls, {"turns", "?transport=tcp"}, urls);
  add_urls(config, Transport::tcp, {"turns", "?transport=tcp"}, urls);
  return urls;
}

std::expected<StaticUser, std::string> make_rest_credential(const turn::Credentials& server,
                                                            std::string_view name,
                                                            std::chrono::seconds lifetime,
                                                            std::chrono::sys_seconds now) {
  const auto prepared = stun::opaque_string(name);
  if (!prepared) return std::unexpected{std::string{unusable_name}};
  const auto& secrets = server.rest_secrets;
  const auto& longest = server.longest_rest_lifetime;
  if (denied(server, *prepared)) return std::unexpected{std::string{denied_name}};
  if (secrets.empty()) {
    return std::unexpected{
        "there is no user of this name and no secret to make one: name one of "
        "`users`, or add a secret to `secrets`."};
  }
  if (longest && lifetime > *longest) {
    return std::unexpected{"the server refuses credentials longer than " +
                           config::to_string(*longest) +
                           ": ask for less, or raise `lifetimes.longest_credential`."};
  }
  const auto expiry = (now + lifetime).time_since_epoch().count();
  std::string username = std::to_string(expiry) + ":" + *prepared;
  if (username.size() > longest_user_name_bytes) {
    return std::unexpected{"this user name is too long for STUN: choose a shorter one."};
  }
  Secret password{stun::rest_password(secrets.front().reveal(), username)};
  return StaticUser{std::move(username), std::move(password)};
}

std::expected<IceServer, std::string> make_ice_server(const Config& config,
                                                      const CredentialRequest& request,
                                                      std::chrono::sys_seconds now) {
  const auto& server = config.turn.credentials;
  const auto static_user = static_user_for(server, request.user);
  if (!static_user) return std::unexpected{static_user.error()};
  if (const auto* user = *static_user) {
    if (denied(server, user->name)) {
      return std::unexpected{std::string{denied_name}};
    }
    return IceServer{ice_urls(config), user->name, user->password};
  }
  auto made = make_rest_credential(server, request.user.value_or("guest"), request.lifetime, now);
  if (!made) return std::unexpected{made.error()};
  return IceServer{ice_urls(config), std::move(made->name), std::move(made->password)};
}

std::string to_json(const IceServer& server) {
  nlohmann::ordered_json json;
  json["urls"] = server.urls;
  json["username"] = server.username;
  json["credential"] = server.credential.reveal();
  return json.dump(2);
}

}  // namespace yuelao::server
