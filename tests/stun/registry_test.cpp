#include <doctest/doctest.h>

#include <map>
#include <string>

#include "protocol/stun/error_code.hpp"
#include "protocol/stun/message.hpp"
#include "tests/support/every_attribute.hpp"
#include "tests/support/registry_file.hpp"

namespace yuelao::stun::registry_test {

TEST_CASE("the methods are the RFCs'") {
  const std::map<unsigned, std::string> methods{
      {static_cast<unsigned>(Method::binding), "Binding"},
      {static_cast<unsigned>(Method::allocate), "Allocate"},
      {static_cast<unsigned>(Method::refresh), "Refresh"},
      {static_cast<unsigned>(Method::send), "Send"},
      {static_cast<unsigned>(Method::data), "Data"},
      {static_cast<unsigned>(Method::create_permission), "CreatePermission"},
      {static_cast<unsigned>(Method::channel_bind), "ChannelBind"},
      {static_cast<unsigned>(Method::connect), "Connect"},
      {static_cast<unsigned>(Method::connection_bind), "ConnectionBind"},
      {static_cast<unsigned>(Method::connection_attempt), "ConnectionAttempt"},
  };
  CHECK(methods == test::registry_file("methods.txt"));
}

TEST_CASE("the attributes are the RFCs', none missing and none invented") {
  std::map<unsigned, std::string> attributes;
  test::for_every_attribute([&](std::string_view name, const auto& attribute) {
    CHECK(attributes.emplace(attribute.type.value, name).second);
  });
  CHECK(attributes == test::registry_file("attributes.txt"));
}

TEST_CASE("attributes below 0x8000 must be understood, the others need not") {  // RFC 8489 §14
  CHECK(AttributeType{0x7FFF}.comprehension_required());
  CHECK_FALSE(AttributeType{0x8000}.comprehension_required());
}

TEST_CASE("the error codes have the RFCs' reason phrases, and no other number has one") {
  const auto phrases = test::registry_file("error_codes.txt");
  for (std::uint16_t code = 0; code < 1000; ++code) {
    CAPTURE(code);
    const auto row = phrases.find(code);
    const auto expected = row == phrases.end() ? "" : row->second;
    CHECK(reason_phrase(static_cast<ErrorCode>(code)) == expected);
  }
}

}  // namespace yuelao::stun::registry_test
