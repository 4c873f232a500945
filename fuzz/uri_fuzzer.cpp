#include "protocol/client/uri.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "fuzz/promise.hpp"

// Reads arbitrary octets as a STUN or TURN URI, checks what uri.hpp promises, and that a
// URI means the same when it is written again.
namespace yuelao::client {
namespace {

using fuzz::promise;

// What a resolver, a terminal or a URI's own syntax would take for something else.
bool harmless(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != '\x7F' && c != '%' && c != '/' && c != '@' &&
         c != '?' && c != '[' && c != ']' && c != '\\';
}

void check(const Uri& uri) {
  promise(!uri.host.empty() && uri.host.size() <= 255, "there is a host, and it fits into the DNS");
  promise(std::ranges::all_of(uri.host, harmless), "a host is a name");
  promise(!uri.host.contains(':') || uri.address, "only an address has colons");
  promise(uri.address == IpAddress::parse(uri.host), "a literal is known as one");
  promise(uri.port != 0, "nobody listens on port 0");
  promise(!uri.transport || uri.transport == Transport::udp || uri.transport == Transport::tcp,
          "TLS and DTLS are what the scheme says");
  promise(!uri.transport || uri.relays(), "a STUN URI has no transport");
  promise(uri.scheme != Uri::Scheme::stuns || !uri.address, "a certificate needs a name");
}

void check(std::string_view text) {
  const auto uri = parse_uri(text);
  if (!uri) {
    const auto sentence = explain(uri.error());
    promise(sentence.ends_with('.') && !sentence.contains('\n'), "an error is a sentence");
    return;
  }
  check(*uri);
  const auto ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::ranges::all_of(uri->host, ascii)) {
    promise(parse_uri(uri->to_string()) == uri, "a URI survives being written again");
  }
}

}  // namespace
}  // namespace yuelao::client

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  yuelao::client::check(std::string_view{reinterpret_cast<const char*>(data), size});
  return 0;
}
