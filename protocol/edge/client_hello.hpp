#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"

namespace yuelao::edge {

// What a TLS client says before anything is encrypted, as far as it decides who is to
// answer. Nothing else of the message is judged: that is the TLS library's.
struct ClientHello {
  std::string server_name;             // in lower case; empty when the client names none
  std::vector<std::string> protocols;  // ALPN, in the client's order; empty without ALPN
};

enum class ClientHelloError : std::uint8_t {
  not_a_client_hello,  // another record, or another message in it
  malformed,           // lengths that contradict each other
  too_long,            // over client_hello_limit
};

// Of records, heads included. Browsers with post-quantum keys send about 2000 octets.
inline constexpr std::size_t client_hello_limit = std::size_t{16} * 1024;

// Reads the ClientHello at the start of `received`, in however many records it comes
// (RFC 8446 §4.1.2, §5.1; RFC 5246 §7.4.1.2 is laid out alike). Empty: more octets are
// needed, which is never said of client_hello_limit octets.
std::expected<std::optional<ClientHello>, ClientHelloError> parse_client_hello(Bytes received);

}  // namespace yuelao::edge
