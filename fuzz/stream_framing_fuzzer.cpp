#include <vector>

#include "fuzz/pieces.hpp"
#include "fuzz/promise.hpp"
#include "protocol/turn/stream_framing.hpp"

// Takes messages off an arbitrary stream and checks what stream_framing.hpp promises,
// and that the stream means the same in whatever pieces it arrives.
namespace yuelao::turn {
namespace {

using fuzz::Arrivals;
using fuzz::promise;

constexpr std::size_t message_limit = 1024;

struct Found {
  std::size_t at;
  std::size_t size;

  bool operator==(const Found&) const = default;
};
struct Result {
  std::vector<Found> messages;
  std::size_t consumed = 0;
  bool broken = false;

  bool operator==(const Result&) const = default;
};

// RFC 8489 §5 and RFC 8656 §12.4: both headers say it in octets 2 and 3.
std::size_t stated_size(Bytes message) {
  const bool is_stun = std::to_integer<unsigned>(message[0]) < 4;
  return (is_stun ? 20U : 4U) + load_u16(message.subspan(2));
}

void check(const Frame& frame, Bytes received) {
  promise(frame.consumed <= received.size(), "no octet is taken before it is there");
  promise(frame.needed <= message_limit, "a message is never longer than the limit");
  promise(frame.message.empty() == (frame.consumed == 0), "a message takes octets off");
  if (frame.message.empty()) {
    promise(frame.needed == 0 || frame.needed > received.size(), "waiting has a reason");
    promise(frame.needed != 0 || received.size() < 4, "a length that is there is known");
    return;
  }
  promise(frame.message.data() == received.data(), "the message aliases the stream");
  promise(frame.message.size() == stated_size(frame.message), "a message is as long as it says");
  promise(frame.consumed - frame.message.size() < 4, "padding is at most three octets");
}

// Adds what `received`, the stream behind what is consumed, holds.
void read(Bytes received, Result& result) {
  while (!result.broken) {
    const auto frame = next_frame(received, message_limit);
    if (!frame) {
      result.broken = true;
      return;
    }
    check(*frame, received);
    if (frame->message.empty()) return;
    result.messages.push_back({result.consumed, frame->message.size()});
    result.consumed += frame->consumed;
    received = received.subspan(frame->consumed);
  }
}

Result at_once(Bytes stream) {
  Result result;
  read(stream, result);
  return result;
}

Result octet_by_octet(Bytes stream) {
  Result result;
  for (Arrivals arrivals{stream.size(), Arrivals::Cut::every_octet}; arrivals.more();) {
    read(stream.first(arrivals.next()).subspan(result.consumed), result);
  }
  return result;
}

// Each time in memory of its own: nothing of what came before is needed to go on.
Result in_pieces(Bytes stream, unsigned seed) {
  Result result;
  for (Arrivals arrivals{stream.size(), Arrivals::Cut::anywhere, seed}; arrivals.more();) {
    const auto there = fuzz::alone(stream.first(arrivals.next()).subspan(result.consumed));
    read(there, result);
  }
  return result;
}

}  // namespace
}  // namespace yuelao::turn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace yuelao;
  if (size == 0) return 0;
  const Bytes stream = std::as_bytes(std::span{data, size}).subspan(1);
  const auto whole = turn::at_once(stream);
  fuzz::promise(whole == turn::octet_by_octet(stream), "a stream means the same octet by octet");
  fuzz::promise(whole == turn::in_pieces(stream, data[0]), "a stream means the same in pieces");
  return 0;
}
