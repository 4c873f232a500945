// What a relay passes on, from the client's side: RFC 8656 §11 and §12.

#include "protocol/client/relayed_data.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"

namespace yuelao::client::relayed_data_test {
namespace {

namespace attribute = stun::attribute;
using Octets = std::vector<std::byte>;

const Endpoint peer{IpAddress::parse("192.0.2.9").value(), 4000};
const auto channel = stun::ChannelNumber::from(0x4001).value();

class Counting final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(++last_);
  }

 private:
  unsigned last_ = 0;
};

Octets octets(Bytes view) { return {view.begin(), view.end()}; }

Octets indication(stun::Method method, bool with_peer, bool with_data) {
  std::array<std::byte, 256> buffer{};
  stun::MessageWriter writer{buffer, method, stun::Class::indication,
                             stun::TransactionId::from_random(std::array<std::byte, 12>{})};
  if (with_peer) writer.add(attribute::xor_peer_address, peer);
  if (with_data) writer.add(attribute::data, as_bytes("hello"));
  return octets(writer.finish());
}

}  // namespace

TEST_CASE("ChannelData is written with its padding or without, and read without") {  // §12.4, §12.5
  std::array<std::byte, 64> out{};
  out.fill(std::byte{0xFF});
  const auto bare = octets(write_channel_data(channel, as_bytes("hello"), Padding::none, out));
  CHECK(bare.size() == 9);
  const auto padded = octets(write_channel_data(channel, as_bytes("hello"), Padding::to_four, out));
  CHECK(padded.size() == 12);
  CHECK(std::ranges::equal(Bytes{padded}.last(3), std::array<std::byte, 3>{}));
  for (const auto& message : {bare, padded}) {
    const auto relayed = read_relayed(message);
    REQUIRE(relayed);
    CHECK(relayed->channel == channel);
    CHECK_FALSE(relayed->peer);
    CHECK(as_text(relayed->payload) == "hello");
  }
}

TEST_CASE("what does not fit is not written") {
  std::array<std::byte, 12> out{};
  CHECK(write_channel_data(channel, as_bytes("12345678"), Padding::none, out).size() == 12);
  CHECK(write_channel_data(channel, as_bytes("123456789"), Padding::none, out).empty());
  CHECK(write_channel_data(channel, as_bytes("12345"), Padding::to_four, out).size() == 12);
  CHECK(write_channel_data(channel, as_bytes("123456789"), Padding::to_four, out).empty());
  Octets large(0x1'0010);
  CHECK(write_channel_data(channel, Octets(0x1'0000), Padding::none, large).empty());
  Counting random;
  CHECK(write_send_indication(peer, as_bytes("hello"), random, out).empty());
}

TEST_CASE("a Send indication names its peer and carries the octets") {  // §11.1
  std::array<std::byte, 64> out{};
  Counting random;
  const auto first = octets(write_send_indication(peer, as_bytes("hello"), random, out));
  const auto message = stun::Message::parse(first);
  REQUIRE(message);
  CHECK(message->method() == stun::Method::send);
  CHECK(message->message_class() == stun::Class::indication);
  CHECK(message->get(attribute::xor_peer_address) == peer);
  CHECK(as_text(message->get(attribute::data).value()) == "hello");
  const auto second = octets(write_send_indication(peer, as_bytes("hello"), random, out));
  CHECK(first != second);  // its transaction id is drawn
}

TEST_CASE("of indications a whole Data indication is read, and nothing else") {  // §11.4
  const auto relayed = indication(stun::Method::data, true, true);
  const auto read = read_relayed(relayed);
  REQUIRE(read);
  CHECK(read->peer == peer);
  CHECK_FALSE(read->channel);
  CHECK(as_text(read->payload) == "hello");

  CHECK_FALSE(read_relayed(indication(stun::Method::data, false, true)));
  CHECK_FALSE(read_relayed(indication(stun::Method::data, true, false)));
  CHECK_FALSE(read_relayed(indication(stun::Method::send, true, true)));
  CHECK_FALSE(read_relayed({}));
}

TEST_CASE("ChannelData that is not whole is not read") {  // §12.4
  std::array<std::byte, 16> out{};
  const auto whole = octets(write_channel_data(channel, as_bytes("hello"), Padding::none, out));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(read_relayed(Bytes{whole}.first(size)));
  }
}

}  // namespace yuelao::client::relayed_data_test
