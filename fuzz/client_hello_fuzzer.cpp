#include <algorithm>

#include "fuzz/promise.hpp"
#include "protocol/edge/client_hello.hpp"

// Reads arbitrary octets as a ClientHello, and checks that the answer is bounded and the
// same in whatever pieces the octets arrive.
namespace yuelao::edge {
namespace {

using fuzz::promise;

bool same(const ClientHello& one, const ClientHello& other) {
  return one.server_name == other.server_name && one.protocols == other.protocols;
}

void check(const ClientHello& hello, Bytes received) {
  std::size_t said = hello.server_name.size();
  for (const auto& name : hello.protocols) {
    promise(!name.empty(), "no protocol is without a name");
    said += name.size();
  }
  promise(said <= received.size(), "nothing is made up");
}

}  // namespace
}  // namespace yuelao::edge

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace yuelao;
  using fuzz::promise;
  if (size == 0) return 0;
  const Bytes stream = std::as_bytes(std::span{data, size}).subspan(1);
  const std::size_t step = std::max<std::size_t>(data[0] + 1U, stream.size() / 16);
  const auto at_once = edge::parse_client_hello(stream);
  if (at_once && *at_once) edge::check(**at_once, stream);
  promise(!at_once || *at_once || stream.size() < edge::client_hello_limit, "waiting is bounded");
  for (std::size_t arrived = 0; arrived < stream.size();) {
    arrived = std::min(arrived + step, stream.size());
    const auto so_far = edge::parse_client_hello(stream.first(arrived));
    if (so_far && !*so_far) continue;
    // More than the limit at once may hold an end that pieces do not wait for.
    if (arrived >= edge::client_hello_limit) break;
    promise(so_far.has_value() == at_once.has_value(), "an error stays one");
    promise(!so_far || edge::same(**so_far, **at_once), "pieces mean the same");
    break;
  }
  return 0;
}
