#include <algorithm>

#include "fuzz/promise.hpp"
#include "protocol/edge/proxy_header.hpp"

// Reads arbitrary octets as a PROXY header, checks what proxy_header.hpp promises, and
// that a header means the same in whatever pieces it arrives and when it is written again.
namespace yuelao::edge {
namespace {

using fuzz::promise;

void check(Bytes received) {
  const auto header = parse_proxy_header(received);
  if (!header) return;
  promise(header->consumed <= received.size(), "no octet is taken before it is there");
  promise(header->consumed <= proxy_header_limit, "a header is never longer than the limit");
  if (header->consumed == 0) {
    promise(!header->proxied, "what has not arrived says nothing");
    promise(received.size() < proxy_header_limit, "waiting is bounded");
    return;
  }
  const auto alone = parse_proxy_header(received.first(header->consumed));
  promise(alone && alone->consumed == header->consumed && alone->proxied == header->proxied,
          "what follows the header changes nothing");
  if (!header->proxied) return;
  ComposedProxyHeader room{};
  const auto again = parse_proxy_header(compose_proxy_header(*header->proxied, room));
  promise(again && again->proxied == header->proxied, "a header survives being written again");
}

}  // namespace
}  // namespace yuelao::edge

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace yuelao;
  if (size == 0) return 0;
  const std::size_t step = data[0] % 17 + 1;
  const Bytes stream = std::as_bytes(std::span{data, size}).subspan(1);
  edge::check(stream);
  const auto at_once = edge::parse_proxy_header(stream);
  for (std::size_t arrived = 0; arrived < stream.size();) {
    arrived = std::min(arrived + step, stream.size());
    const auto so_far = edge::parse_proxy_header(stream.first(arrived));
    if (so_far && so_far->consumed == 0) continue;
    fuzz::promise(so_far.has_value() == at_once.has_value(), "an error stays one");
    fuzz::promise(!so_far || so_far->consumed == at_once->consumed, "pieces mean the same");
    break;
  }
  return 0;
}
