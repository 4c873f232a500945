#include <algorithm>
#include <string_view>

#include "fuzz/pieces.hpp"
#include "fuzz/promise.hpp"
#include "protocol/edge/proxy_header.hpp"

// Reads arbitrary octets as a PROXY header, checks what proxy_header.hpp promises, and
// that a header means the same in whatever pieces it arrives and when it is written again.
namespace yuelao::edge {
namespace {

using fuzz::Arrivals;
using fuzz::promise;
using Parsed = std::expected<ProxyHeader, ProxyHeaderError>;

// What any of TLS, DTLS, STUN and ChannelData begins with, and every other octet but two.
bool may_begin_header(std::byte first) {
  return first == std::byte{'P'} || first == std::byte{'\r'};
}

void check_error(ProxyHeaderError error, Bytes received) {
  promise(!received.empty(), "nothing at all is not wrong yet");
  const bool ours = may_begin_header(received[0]);
  promise(ours || error == ProxyHeaderError::not_a_header, "one octet is enough to know");
}

// Where a header ends is its own to say, and in one way.
void check_end(Bytes header) {
  const auto text = as_text(header);
  const bool line = text.starts_with("PROXY ");
  promise(!line || (text.ends_with("\r\n") && text.find("\r\n") == text.size() - 2),
          "version 1 is a line");
  promise(!line || text.size() <= 107, "version 1 has at most 107 octets");
  promise(line || header.size() == 16U + load_u16(header.subspan(14)),
          "version 2 is as long as it says");
}

void check(Bytes received) {
  const auto header = parse_proxy_header(received);
  if (!header) return check_error(header.error(), received);
  promise(header->consumed <= received.size(), "no octet is taken before it is there");
  promise(header->consumed <= proxy_header_limit, "a header is never longer than the limit");
  if (header->consumed == 0) {
    promise(!header->proxied, "what has not arrived says nothing");
    promise(received.size() < proxy_header_limit, "waiting is bounded");
    return;
  }
  check_end(received.first(header->consumed));
  const auto octets = fuzz::alone(received.first(header->consumed));
  const auto alone = parse_proxy_header(octets);
  promise(alone && alone->consumed == header->consumed && alone->proxied == header->proxied,
          "what follows the header changes nothing");
  if (!header->proxied) return;
  ComposedProxyHeader room{};
  const auto composed = compose_proxy_header(*header->proxied, room);
  fuzz::promise_written(composed);
  const auto again = parse_proxy_header(composed);
  promise(again && again->proxied == header->proxied, "a header survives being written again");
}

bool waits(const Parsed& parsed) { return parsed && parsed->consumed == 0; }

bool same(const Parsed& one, const Parsed& other) {
  if (!one || !other) return !one && !other && one.error() == other.error();
  return one->consumed == other->consumed && one->proxied == other->proxied;
}

// The first answer that is not to wait, of what has arrived by then.
void check_arriving(Bytes stream, Arrivals arrivals) {
  const auto at_once = parse_proxy_header(stream);
  while (arrivals.more()) {
    const auto there = fuzz::alone(stream.first(arrivals.next()));
    const auto so_far = parse_proxy_header(there);
    if (waits(so_far)) continue;
    promise(so_far.has_value() == at_once.has_value(), "an error stays one");
    promise(same(so_far, at_once), "pieces mean the same");
    return;
  }
  promise(stream.empty() || waits(at_once), "who waits to the end waits at once");
}

}  // namespace
}  // namespace yuelao::edge

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace yuelao;
  using edge::Arrivals;
  if (size == 0) return 0;
  const Bytes stream = std::as_bytes(std::span{data, size}).subspan(1);
  edge::check(stream);
  edge::check_arriving(stream, {stream.size(), Arrivals::Cut::every_octet});
  edge::check_arriving(stream, {stream.size(), Arrivals::Cut::anywhere, data[0]});
  return 0;
}
