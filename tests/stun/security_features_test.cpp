#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

#include "protocol/stun/security_features.hpp"

namespace yuelao::stun::security_features_test {

TEST_CASE("a nonce cookie is the prefix and 24 bits in base64") {  // RFC 8489 §9.2, §18.1
  struct Row {
    SecurityFeatures features;
    std::string_view cookie;
  };
  constexpr std::array rows{
      Row{{.password_algorithms = false, .user_anonymity = false}, "obMatJos2AAAA"},
      Row{{.password_algorithms = true, .user_anonymity = false}, "obMatJos2gAAA"},
      Row{{.password_algorithms = false, .user_anonymity = true}, "obMatJos2QAAA"},
      Row{{.password_algorithms = true, .user_anonymity = true}, "obMatJos2wAAA"},
  };
  for (const auto& [features, cookie] : rows) {
    CAPTURE(cookie);
    const auto made = nonce_cookie(features);
    CHECK(std::string_view{made.data(), made.size()} == cookie);
    CHECK(security_features_of(cookie) == features);
    CHECK(security_features_of(std::string{cookie} + "what follows") == features);
  }
}

TEST_CASE("what is no nonce cookie offers nothing") {
  for (const auto* nonce : {"", "obMatJos2", "obMatJos2wAA", "obMatJos1wAAA", "obmatjos2wAAA",
                            "obMatJos2w AA", "obMatJos2w=AA", "f//499k954d6OL34oL9FSTvy64sA"}) {
    CAPTURE(nonce);
    CHECK(security_features_of(nonce) == SecurityFeatures{});
  }
}

TEST_CASE("bits that are not assigned change nothing") {
  CHECK(security_features_of("obMatJos2////") == SecurityFeatures{true, true});
  CHECK(security_features_of("obMatJos2PAAA") == SecurityFeatures{false, false});
  // The nonce of RFC 8489 appendix B.1, which counts from the other end than §18.1 does.
  CHECK(security_features_of("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA") == SecurityFeatures{});
}

}  // namespace yuelao::stun::security_features_test
