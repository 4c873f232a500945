#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/element.hpp"
#include "protocol/endpoint.hpp"
#include "protocol/turn/bandwidth.hpp"

namespace yuelao::config {

// What a turnserver.conf says, as far as yuelao has a key for it: texts as they were
// written, each of them right by itself.
struct CoturnImport {
  std::vector<IpAddress> listen_addresses;
  bool listen_everywhere = false;
  std::uint32_t port = 3478;
  std::uint32_t tls_port = 5349;
  bool udp = true;
  bool tcp = true;
  bool tls = true;
  bool dtls = true;
  bool mobility = false;
  std::vector<std::string> external;
  std::vector<std::string> relay_addresses;
  std::uint32_t first_relay_port = 49152;
  std::uint32_t last_relay_port = 65535;
  std::string certificate;
  std::string key;
  std::string realm;
  std::vector<std::string> secrets;
  std::vector<std::pair<std::string, std::string>> users;
  std::vector<std::string> allow;
  std::vector<std::string> deny;
  std::uint32_t total_quota = 0;
  std::uint32_t user_quota = 0;
  turn::Bandwidth server_bandwidth = 0;  // 0: not said
  turn::Bandwidth allocation_bandwidth = 0;
  std::uint32_t nonce_seconds = 0;
  std::uint32_t longest_lifetime = 0;
  std::vector<std::pair<std::string, std::string>> remarks;  // option, sentence
  Position relay_ports_at{0, 0};  // the last of min-port and max-port; 0: neither
};

// The error is the first value that cannot be what its option needs.
Read<CoturnImport> read_coturn(std::string_view text);

// Adds a sentence about an option, once an option.
void remark(CoturnImport& import, const std::string& option, std::string_view sentence);

}  // namespace yuelao::config
