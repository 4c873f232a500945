#include <algorithm>
#include <vector>

#include "fuzz/promise.hpp"
#include "protocol/turn/stream_framing.hpp"

// Takes messages off an arbitrary stream and checks what stream_framing.hpp promises,
// and that the stream means the same in whatever pieces it arrives.
namespace yuelao::turn {
namespace {

using fuzz::promise;

constexpr std::size_t message_limit = 1024;

struct Result {
  std::vector<std::size_t> sizes;
  std::size_t consumed = 0;
  bool broken = false;

  bool operator==(const Result&) const = default;
};

void check(const Frame& frame, Bytes received) {
  promise(frame.consumed <= received.size(), "no octet is taken before it is there");
  promise(frame.needed <= message_limit, "a message is never longer than the limit");
  promise(frame.message.empty() == (frame.consumed == 0), "a message takes octets off");
  if (frame.message.empty()) {
    promise(frame.needed == 0 || frame.needed > received.size(), "waiting has a reason");
    return;
  }
  promise(frame.message.data() == received.data(), "the message aliases the stream");
  promise(frame.consumed - frame.message.size() < 4, "padding is at most three octets");
}

// Adds what `stream` holds in its first `arrived` octets behind what is consumed.
void read(Bytes stream, std::size_t arrived, Result& result) {
  while (!result.broken) {
    const auto received = stream.first(arrived).subspan(result.consumed);
    const auto frame = next_frame(received, message_limit);
    if (!frame) {
      result.broken = true;
      return;
    }
    check(*frame, received);
    if (frame->message.empty()) return;
    result.sizes.push_back(frame->message.size());
    result.consumed += frame->consumed;
  }
}

}  // namespace
}  // namespace yuelao::turn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace yuelao;
  if (size == 0) return 0;
  const std::size_t step = data[0] % 17 + 1;
  const Bytes stream = std::as_bytes(std::span{data, size}).subspan(1);
  turn::Result at_once;
  turn::read(stream, stream.size(), at_once);
  turn::Result in_pieces;
  for (std::size_t arrived = 0; arrived < stream.size();) {
    arrived = std::min(arrived + step, stream.size());
    turn::read(stream, arrived, in_pieces);
  }
  fuzz::promise(at_once == in_pieces, "a stream means the same in pieces");
  return 0;
}
