#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "protocol/secret.hpp"

namespace yuelao::server {

// What WebRTC calls an RTCIceServer: where this server is, and a credential for it.
struct IceServer {
  std::vector<std::string> urls;
  std::string username;
  Secret credential;
};

struct CredentialRequest {
  // A static user's name gives that user's password; any other becomes the name in a
  // TURN REST user name. Unset: REST with "guest", or the first static user where no
  // secret is configured.
  std::optional<std::string> user;
  // How long a REST credential is valid.
  std::chrono::seconds lifetime = std::chrono::hours{24};
};

// A TURN REST credential of the first secret, for `name` as somebody wrote it; never a
// static user's password. `now` is the wall clock. The error is one sentence with the fix.
std::expected<turn::StaticUser, std::string> make_rest_credential(const turn::Credentials& server,
                                                                  std::string_view name,
                                                                  std::chrono::seconds lifetime,
                                                                  std::chrono::sys_seconds now);

// The URLs clients can use for these listeners (RFC 7064, RFC 7065), `config` having its
// addresses resolved.
std::vector<std::string> ice_urls(const config::Config& config);

// `now` is the wall clock. The error is one sentence with the fix.
std::expected<IceServer, std::string> make_ice_server(const config::Config& config,
                                                      const CredentialRequest& request,
                                                      std::chrono::sys_seconds now);

// The object to paste, on several lines, without a newline at its end.
std::string to_json(const IceServer& server);

}  // namespace yuelao::server
