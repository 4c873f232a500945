#include <algorithm>

#include "fuzz/pieces.hpp"
#include "fuzz/promise.hpp"
#include "protocol/edge/client_hello.hpp"
#include "protocol/edge/route.hpp"

// Reads arbitrary octets as a ClientHello, and checks that the answer is bounded and the
// same in whatever pieces the octets arrive.
namespace yuelao::edge {
namespace {

using fuzz::Arrivals;
using fuzz::promise;
using Parsed = std::expected<std::optional<ClientHello>, ClientHelloError>;

bool same(const Parsed& one, const Parsed& other) {
  if (!one || !other) return !one && !other && one.error() == other.error();
  if (!*one || !*other) return !*one && !*other;
  return (*one)->server_name == (*other)->server_name && (*one)->protocols == (*other)->protocols;
}

bool waits(const Parsed& parsed) { return parsed && !*parsed; }

void check(const ClientHello& hello, Bytes received) {
  std::size_t said = hello.server_name.size();
  for (const auto& name : hello.protocols) {
    promise(!name.empty(), "no protocol is without a name");
    said += name.size();
  }
  promise(said <= received.size(), "nothing is made up");
  promise(std::ranges::none_of(hello.server_name, [](char c) { return c >= 'A' && c <= 'Z'; }),
          "a name is in lower case");
  promise(
      route(NameOwner::turn, hello) == Route::here && route(NameOwner::web, hello) == Route::web,
      "whose name it is decides alone");
}

void check(const Parsed& at_once, Bytes stream) {
  promise(!waits(at_once) || stream.size() < client_hello_limit, "waiting is bounded");
  if (!at_once) return promise(!stream.empty(), "nothing at all is not wrong yet");
  if (*at_once) check(**at_once, stream);
}

// The first answer that is not to wait, of what has arrived by then.
void check_arriving(const Parsed& at_once, Bytes stream, Arrivals arrivals) {
  while (arrivals.more()) {
    const auto there = fuzz::alone(stream.first(arrivals.next()));
    const auto so_far = parse_client_hello(there);
    if (waits(so_far)) continue;
    // More than the limit at once may hold an end that pieces do not wait for.
    if (there.size() >= client_hello_limit) return;
    promise(so_far.has_value() == at_once.has_value(), "an error stays one");
    return promise(same(so_far, at_once), "pieces mean the same");
  }
  promise(waits(at_once), "who waits to the end waits at once");
}

}  // namespace
}  // namespace yuelao::edge

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace yuelao;
  using edge::Arrivals;
  if (size == 0) return 0;
  const Bytes stream = std::as_bytes(std::span{data, size}).subspan(1);
  const auto at_once = edge::parse_client_hello(stream);
  edge::check(at_once, stream);
  // Every octet of what a client sends; a longer one in a few hundred pieces.
  const auto smallest = stream.size() / 512 + 1;
  edge::check_arriving(at_once, stream, {stream.size(), Arrivals::Cut::every_octet, 0, smallest});
  edge::check_arriving(at_once, stream,
                       {stream.size(), Arrivals::Cut::anywhere, data[0], smallest});
  return 0;
}
