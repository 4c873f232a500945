#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/integrate/ours.hpp"
#include "server/integrate/system.hpp"

namespace yuelao::server {

// A --media-server that is this machine.
inline constexpr std::string_view this_machine_word = "here";

// Whether a system is to ask for credentials.
enum class Credentials : std::uint8_t { given, asked_for };

// What the command line said of a meeting system, as it was typed; empty: not said.
struct IntegrationWish {
  std::string host;
  std::string certificate;
  std::string key;
  std::vector<std::string> media_servers;
  std::optional<std::uint16_t> turns_port;
  std::string share_443;  // where the web server moves to
  Credentials credentials = Credentials::given;
  std::string credentials_listen;  // this and the next ask for them, too
  std::string credentials_url;
  std::string credentials_origin;
};

// The place that is meant for `system`; file names are absolute, a media server may still
// be this machine. The error is one sentence with the fix.
std::expected<integrate::Place, std::string> place_for(const integrate::System& system,
                                                       const IntegrationWish& wish);

}  // namespace yuelao::server
