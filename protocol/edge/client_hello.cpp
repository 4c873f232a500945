#include "protocol/edge/client_hello.hpp"

#include <algorithm>
#include <utility>

namespace yuelao::edge {
namespace {

using ParsedHello = std::expected<std::optional<ClientHello>, ClientHelloError>;

// RFC 8446 §5.1
constexpr std::byte handshake_record{0x16};
constexpr std::byte major_version{0x03};
constexpr std::size_t record_head = 5;
constexpr std::size_t longest_fragment = std::size_t{1} << 14U;
// RFC 8446 §4
constexpr std::byte client_hello_message{0x01};
constexpr std::size_t message_head = 4;
constexpr std::size_t version_and_random = 2 + 32;
// RFC 6066 §3, RFC 7301 §3.1
constexpr std::uint16_t server_name_extension = 0;
constexpr std::uint16_t protocols_extension = 16;
constexpr std::byte host_name{0};

std::unexpected<ClientHelloError> failure(ClientHelloError error) { return std::unexpected{error}; }

// Takes fields off the front of a message. Once one does not fit, it and all that follow
// are empty and whole() is false.
class Fields {
 public:
  explicit Fields(Bytes bytes) : rest_{bytes} {}

  Bytes take(std::size_t size) {
    if (size > rest_.size()) {
      broken_ = true;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  std::byte take_octet() {
    const auto taken = take(1);
    return taken.empty() ? std::byte{} : taken[0];
  }
  std::uint16_t take_u16() {
    const auto taken = take(2);
    return taken.empty() ? std::uint16_t{0} : load_u16(taken);
  }
  // A field behind its length.
  Bytes take_short() { return take(std::to_integer<std::size_t>(take_octet())); }
  Bytes take_long() { return take(take_u16()); }

  bool more() const { return !rest_.empty(); }
  bool whole() const { return !broken_; }

 private:
  Bytes rest_;
  bool broken_ = false;
};

std::string lower_case(Bytes name) {
  std::string text{as_text(name)};
  std::ranges::for_each(text, [](char& c) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  });
  return text;
}

// RFC 6066 §3: a list, in which only a host name is defined. False when malformed.
bool read_server_name(Bytes extension, ClientHello& hello) {
  Fields outer{extension};
  Fields list{outer.take_long()};
  while (list.more()) {
    const auto kind = list.take_octet();
    const auto name = list.take_long();
    if (kind == host_name && hello.server_name.empty()) hello.server_name = lower_case(name);
  }
  return outer.whole() && !outer.more() && list.whole();
}

bool read_protocols(Bytes extension, ClientHello& hello) {
  Fields outer{extension};
  Fields list{outer.take_long()};
  while (list.more()) {
    const auto name = list.take_short();
    if (name.empty()) return false;  // RFC 7301 §3.1: never empty
    hello.protocols.emplace_back(as_text(name));
  }
  return outer.whole() && !outer.more() && list.whole();
}

ParsedHello read_message(Bytes body) {
  Fields fields{body};
  fields.take(version_and_random);
  fields.take_short();  // session
  fields.take_long();   // cipher suites
  fields.take_short();  // compression
  ClientHello hello;
  if (fields.whole() && !fields.more()) return hello;  // TLS 1.2 without extensions
  Fields extensions{fields.take_long()};
  while (extensions.more()) {
    const auto kind = extensions.take_u16();
    const auto extension = extensions.take_long();
    if (!extensions.whole()) break;
    const bool read = kind == server_name_extension ? read_server_name(extension, hello)
                      : kind == protocols_extension ? read_protocols(extension, hello)
                                                    : true;
    if (!read) return failure(ClientHelloError::malformed);
  }
  if (!fields.whole() || fields.more() || !extensions.whole()) {
    return failure(ClientHelloError::malformed);
  }
  return hello;
}

// Octets of the message with its head, once they can be known; 0 before.
std::size_t message_size(Bytes message) {
  if (message.size() < message_head) return 0;
  return message_head + (load_u32(message) & 0xFF'FFFFU);
}

// Takes the next record's fragment off `rest`; empty when it has not arrived to its end,
// and `rest` then holds what there is of it.
std::expected<Bytes, ClientHelloError> take_fragment(Bytes& rest) {
  if (!rest.empty() && rest[0] != handshake_record) {
    return failure(ClientHelloError::not_a_client_hello);
  }
  if (rest.size() > 1 && rest[1] != major_version) {
    return failure(ClientHelloError::not_a_client_hello);
  }
  if (rest.size() < record_head) return Bytes{};
  const std::size_t size = load_u16(rest.subspan(3));
  // RFC 8446 §5.1: no handshake fragment is empty, or over 2^14 octets.
  if (size == 0 || size > longest_fragment) return failure(ClientHelloError::malformed);
  const auto fragment = rest.subspan(record_head, std::min(size, rest.size() - record_head));
  if (fragment.size() < size) return Bytes{};
  rest = rest.subspan(record_head + size);
  return fragment;
}

}  // namespace

ParsedHello parse_client_hello(Bytes received) {
  std::vector<std::byte> message;
  for (Bytes rest = received; true;) {
    const auto fragment = take_fragment(rest);
    if (!fragment) return failure(fragment.error());
    message.insert(message.end(), fragment->begin(), fragment->end());
    if (!message.empty() && message[0] != client_hello_message) {
      return failure(ClientHelloError::not_a_client_hello);
    }
    const std::size_t size = message_size(message);
    if (size > client_hello_limit) return failure(ClientHelloError::too_long);
    if (size != 0 && message.size() >= size) {
      return read_message(Bytes{message}.subspan(message_head, size - message_head));
    }
    if (!fragment->empty()) continue;
    if (received.size() >= client_hello_limit) return failure(ClientHelloError::too_long);
    return std::nullopt;
  }
}

}  // namespace yuelao::edge
