#include "protocol/stun/credentials.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>

#include "tests/support/hex.hpp"

namespace yuelao::stun::credentials_test {

TEST_CASE("a long-term key is the digest of user, realm and password") {  // RFC 8489 §9.2.2
  CHECK(std::ranges::equal(long_term_key("user", "realm", "pass"),
                           test::from_hex("8493fbc53ba582fb4c044c456bdc40eb")));
  CHECK(std::ranges::equal(
      long_term_key_sha256("user", "realm", "pass"),
      test::from_hex("07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b")));
  CHECK(std::ranges::equal(long_term_key("", "", ""),
                           test::from_hex("4501c091b0366d76ea3218b6cfdd8097")));
}

TEST_CASE("a long-term key has the size of its algorithm's digest") {  // RFC 8489 §18.5.1
  const LongTermKey md5{KeyAlgorithm::md5, "user", "realm", "pass"};
  CHECK(md5.algorithm() == KeyAlgorithm::md5);
  CHECK(std::ranges::equal(md5.bytes(), long_term_key("user", "realm", "pass")));
  const LongTermKey sha256{KeyAlgorithm::sha256, "user", "realm", "pass"};
  CHECK(sha256.algorithm() == KeyAlgorithm::sha256);
  CHECK(std::ranges::equal(sha256.bytes(), long_term_key_sha256("user", "realm", "pass")));
}

TEST_CASE("two password algorithms are known") {  // RFC 8489 §18.5
  CHECK(key_algorithm(1) == KeyAlgorithm::md5);
  CHECK(key_algorithm(2) == KeyAlgorithm::sha256);
  constexpr std::array<std::uint16_t, 4> others{0x0000, 0x0003, 0x0102, 0xFFFF};
  for (const auto number : others) {
    CHECK_FALSE(key_algorithm(number).has_value());
  }
}

TEST_CASE("a REST password is what the meeting systems make") {
  struct Row {
    std::string_view made_by, secret, user, password;
  };
  constexpr std::array rows{
      Row{"Prosody 0.12.3, external_services", "jitsi-secret", "1795490178",
          "PsbtB8RAIlp4DJZ63y4sqSCOD3g="},
      Row{"Prosody 0.12.3, mod_turn_external", "jitsi-secret", "1795490179:u1",
          "G6uVyqpI/MBqlX9rIGiA1GgeGUs="},
      Row{"spreed-signaling 0.4.1", "e2e-turn-secret", "1795490584:alice",
          "aMsQa2tkDcsmOyXmGZ21d4TxtiY="},
      Row{"BigBlueButton's formula", "bbb-secret", "1795490997:w_abcdefghijkl",
          "kQNzdYZS0fsLu0TR5OLYKSUgxKc="},
      Row{"Nextcloud Talk's formula", "e2e-turn-secret", "1795490997:nLsXwP13M2gZokox",
          "q7N5YRic43Hqo4FrW0DDxvEPL88="},
  };
  for (const auto& [made_by, secret, user, password] : rows) {
    CAPTURE(made_by);
    CHECK(rest_password(secret, user) == password);
  }
}

TEST_CASE("base64 pads to groups of four") {  // RFC 4648 §10
  constexpr std::array<std::array<std::string_view, 2>, 7> rows{{{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"}}};
  for (const auto& [text, encoded] : rows) CHECK(base64(as_bytes(text)) == encoded);
  // More than a line of MIME's, which has no line break here.
  CHECK(base64(as_bytes(std::string(300, 'a'))).find('\n') == std::string::npos);
}

}  // namespace yuelao::stun::credentials_test
