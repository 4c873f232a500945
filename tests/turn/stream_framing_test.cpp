#include "protocol/turn/stream_framing.hpp"

#include <doctest/doctest.h>

#include "tests/turn/world.hpp"

namespace yuelao::turn::test::stream_framing_test {
namespace {

constexpr std::size_t limit = 2048;

Octets stun_message() {
  Octets buffer(64);
  stun::MessageWriter writer{buffer, Method::binding, stun::Class::request,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  writer.add(attribute::software, std::string_view{"abc"});
  buffer.resize(writer.finish().size());
  return buffer;
}

}  // namespace

TEST_CASE("messages come off a stream one after another, ChannelData without its padding") {
  const auto stun = stun_message();
  auto stream = stun;
  const auto channel_data = octets(std::string_view{"\x40\x01\x00\x05hello\0\0\0", 12});
  stream.insert(stream.end(), channel_data.begin(), channel_data.end());
  stream.insert(stream.end(), stun.begin(), stun.end());

  const auto first = next_frame(stream, limit);
  REQUIRE(first);
  CHECK(first->message.size() == stun.size());
  const auto rest = Bytes{stream}.subspan(first->consumed);
  const auto second = next_frame(rest, limit);
  REQUIRE(second);
  CHECK(second->message.size() == 9);
  CHECK(second->consumed == 12);
  const auto third = next_frame(rest.subspan(second->consumed), limit);
  REQUIRE(third);
  CHECK(third->message.size() == stun.size());
}

TEST_CASE("a message that has not wholly arrived waits, at every length") {
  for (const auto& whole :
       {stun_message(), octets(std::string_view{"\x40\x01\x00\x05hello\0\0\0", 12})}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      const auto frame = next_frame(Bytes{whole}.first(size), limit);
      REQUIRE(frame);
      CHECK(frame->message.empty());
      CHECK(frame->consumed == 0);
      CHECK(frame->needed == (size < 4 ? 0 : whole.size()));
    }
    CHECK(next_frame(whole, limit)->consumed == whole.size());
  }
}

TEST_CASE("ChannelData without data is a message too") {
  const auto frame = next_frame(octets(std::string_view{"\x40\x01\x00\x00", 4}), limit);
  REQUIRE(frame);
  CHECK(frame->message.size() == 4);
  CHECK(frame->consumed == 4);
}

TEST_CASE("a stream that does not speak TURN is told at its first octet") {
  for (unsigned first = 0; first < 256; ++first) {
    CAPTURE(first);
    const std::array start{static_cast<std::byte>(first)};
    const bool turn = first < 4 || (first >= 64 && first < 80);
    CHECK(next_frame(start, limit).has_value() == turn);
  }
}

TEST_CASE("a message longer than the limit is refused before it is waited for") {
  const auto channel_data = [](std::uint16_t size) {
    Octets header(4);
    store_u16(header, 0x4000);
    store_u16(MutableBytes{header}.subspan(2), size);
    return header;
  };
  CHECK(next_frame(channel_data(limit - 4), limit).has_value());
  CHECK(next_frame(channel_data(limit - 3), limit).error() == FramingError::too_long);
  CHECK(next_frame(channel_data(0xFFFF), limit).error() == FramingError::too_long);
  const auto stun_header = octets(std::string_view{"\x00\x01\xFF\xFC", 4});
  CHECK(next_frame(stun_header, limit).error() == FramingError::too_long);
  CHECK(next_frame(stun_header, 65536 + 20).has_value());
}

}  // namespace yuelao::turn::test::stream_framing_test
