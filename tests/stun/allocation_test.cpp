#include <doctest/doctest.h>

#include <array>
#include <memory>

#include "protocol/stun/integrity.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/every_attribute.hpp"
#include "tests/support/hex.hpp"

namespace yuelao::stun::allocation_test {

TEST_CASE("the counter sees an allocation") {
  CHECK(test::allocations_during([] { CHECK(std::make_unique<int>(7) != nullptr); }) > 0);
}

TEST_CASE("parsing, reading and verifying allocate no memory") {
  const auto key = as_bytes("VOkJxbRl1RmTxUk/WvJxBt");
  const std::array messages{test::vector_file("rfc5769_2_1_request.hex"),
                            test::vector_file("rfc5769_2_3_response_ipv6.hex"),
                            test::vector_file("rfc5769_2_4_request_long_term.hex")};
  std::size_t read = 0;
  // The first HMAC of a thread prepares its context.
  hmac_sha1(key, {});
  const auto allocations = test::allocations_during([&] {
    for (const auto& octets : messages) {
      const auto message = Message::parse(octets);
      if (!message) continue;
      test::for_every_attribute([&](std::string_view, const auto& attribute) {
        if (message->get(attribute)) ++read;
      });
      read += unknown_required(*message, {}).count;
      if (verify_integrity(*message, key) == Integrity::valid) ++read;
    }
  });
  CHECK(allocations == 0);
  CHECK(read > 15);
}

TEST_CASE("writing a signed message allocates no memory") {
  std::array<std::byte, 256> buffer;
  hmac_sha1({}, {});
  hmac_sha256({}, {});
  std::size_t written = 0;
  const auto allocations = test::allocations_during([&] {
    written = MessageWriter{buffer, Method::allocate, Class::success, {}}
                  .add(attribute::xor_relayed_address, Endpoint{})
                  .add(attribute::software, "yuelao")
                  .add_integrity(as_bytes("key"))
                  .add_integrity_sha256(as_bytes("key"))
                  .add_fingerprint()
                  .finish()
                  .size();
  });
  CHECK(allocations == 0);
  CHECK(written > 0);
}

}  // namespace yuelao::stun::allocation_test
