// What a client makes of a 401 or 438: RFC 8489 §9.2.5.

#include "protocol/client/challenge.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/credentials.hpp"
#include "protocol/stun/integrity.hpp"

namespace yuelao::client::challenge_test {
namespace {

namespace attribute = stun::attribute;
using stun::Class;
using stun::Message;
using stun::MessageWriter;
using stun::Method;

using Fill = std::function<void(MessageWriter&)>;
using Numbers = std::vector<std::uint16_t>;

// RFC 8489 §9.2: the nonce cookie with no feature, with password algorithms (bit 0), with
// anonymous users (bit 1), and with both.
constexpr std::string_view no_feature = "obMatJos2AAAAnonce";
constexpr std::string_view algorithms_feature = "obMatJos2gAAAnonce";
constexpr std::string_view anonymity_feature = "obMatJos2QAAAnonce";
constexpr std::string_view both_features = "obMatJos2wAAAnonce";

// RFC 8489 §18.5.
constexpr std::uint16_t md5 = 1;
constexpr std::uint16_t sha256 = 2;

const Credentials alice{"alice", Secret{"wonderland"}};

// One STUN message in memory of its own.
class Composed {
 public:
  Composed(Class message_class, const Fill& fill) : octets_(1024) {
    MessageWriter writer{octets_, Method::allocate, message_class, {}};
    fill(writer);
    octets_.resize(writer.finish().size());
  }
  Message message() const { return *Message::parse(octets_); }

 private:
  std::vector<std::byte> octets_;
};

Composed challenge(std::string_view nonce, const Numbers& numbers = {}) {
  return {Class::error, [&](MessageWriter& writer) {
            writer.add(attribute::error_code, {401, ""})
                .add(attribute::realm, "example.org")
                .add(attribute::nonce, nonce);
            stun::PasswordAlgorithms offered;
            for (const auto number : numbers) offered.algorithms.at(offered.count++) = {number, {}};
            if (offered.count > 0) writer.add(attribute::password_algorithms, offered);
          }};
}

Composed signed_with(const Challenge& challenge) {
  return {Class::request, [&](MessageWriter& writer) { challenge.sign(writer); }};
}

std::expected<Challenge, ChallengeError> read(const Composed& error) {
  return Challenge::from(error.message(), alice);
}

TEST_CASE("a request repeats realm and nonce, and names its user") {
  for (const auto nonce : {std::string_view{"of an RFC 5389 server"}, no_feature}) {
    const auto request = signed_with(*read(challenge(nonce)));
    const auto message = request.message();
    CHECK(message.get(attribute::username) == "alice");
    CHECK(message.get(attribute::realm) == "example.org");
    CHECK(message.get(attribute::nonce) == nonce);
    CHECK_FALSE(message.has(attribute::userhash.type));
    CHECK_FALSE(message.has(attribute::password_algorithm.type));
    CHECK_FALSE(message.has(attribute::message_integrity_sha256.type));
    const auto key = stun::long_term_key("alice", "example.org", "wonderland");
    CHECK(stun::verify_integrity(message, key) == stun::Integrity::valid);
  }
}

TEST_CASE("where the nonce asks for it the user is a hash") {  // RFC 8489 §9.2.5, §14.4
  for (const auto nonce : {anonymity_feature, both_features}) {
    const auto request = signed_with(*read(challenge(nonce, {sha256})));
    const auto message = request.message();
    CHECK(message.get(attribute::userhash) == stun::user_hash("alice", "example.org"));
    CHECK_FALSE(message.has(attribute::username.type));
  }
}

TEST_CASE("offered algorithms are repeated, and the best known one is chosen") {
  struct Row {
    std::string_view what;
    Numbers offered;
    std::uint16_t chosen;
  };
  const Row rows[] = {
      {"one", {md5}, md5},
      {"SHA-256 first", {sha256, md5}, sha256},
      {"SHA-256 last", {md5, sha256}, sha256},  // RFC 8656 §6
      {"behind what nobody knows", {0x7777, md5}, md5},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    const auto error = challenge(algorithms_feature, row.offered);
    const auto request = signed_with(*read(error));
    const auto message = request.message();
    const auto type = attribute::password_algorithms.type;
    CHECK(std::ranges::equal(*message.value_of(type), *error.message().value_of(type)));
    CHECK(message.get(attribute::password_algorithm)->number == row.chosen);
    CHECK_FALSE(message.has(attribute::message_integrity.type));
    const auto md5_key = stun::long_term_key("alice", "example.org", "wonderland");
    const auto sha256_key = stun::long_term_key_sha256("alice", "example.org", "wonderland");
    const Bytes key = row.chosen == md5 ? Bytes{md5_key} : Bytes{sha256_key};
    CHECK(stun::verify_integrity_sha256(message, key) == stun::Integrity::valid);
  }
}

TEST_CASE("a challenge that was tampered with, or cannot be met, is not answered") {
  CHECK(read(challenge(algorithms_feature)).error() == ChallengeError::bid_down);
  CHECK(read(challenge(both_features)).error() == ChallengeError::bid_down);
  CHECK(read(challenge(no_feature, {0x7777})).error() == ChallengeError::no_algorithm);
  const Composed bare{Class::error, [](MessageWriter& writer) {
                        writer.add(attribute::error_code, {401, ""}).add(attribute::nonce, "n");
                      }};
  CHECK(read(bare).error() == ChallengeError::incomplete);
}

TEST_CASE("an answer counts with the integrity that was asked for, and a nonce that holds") {
  struct Row {
    std::string_view what;
    Numbers offered;
    std::string_view nonce;  // of the answer; empty: none
    bool sha256;             // how it is signed
    bool counts;
  };
  const Numbers only_sha256{sha256};
  const Row rows[] = {
      {"as asked, HMAC-SHA1", {}, "", false, true},
      {"SHA-256 where nobody asked", {}, "", true, false},
      {"as asked, HMAC-SHA256", only_sha256, "", true, true},
      {"stripped of SHA-256", only_sha256, "", false, false},
      {"a new nonce", {}, no_feature, false, true},
      {"a nonce that promises algorithms", {}, algorithms_feature, false, false},
      {"the same, and SHA-256", only_sha256, both_features, true, false},
  };
  const auto key = stun::long_term_key("alice", "example.org", "wonderland");
  const auto sha256_key = stun::long_term_key_sha256("alice", "example.org", "wonderland");
  for (const auto& row : rows) {
    CAPTURE(row.what);
    const auto told = *read(challenge(no_feature, row.offered));
    const Bytes its_key = row.offered.empty() ? Bytes{key} : Bytes{sha256_key};
    const Composed answer{Class::success, [&](MessageWriter& writer) {
                            if (!row.nonce.empty()) writer.add(attribute::nonce, row.nonce);
                            row.sha256 ? writer.add_integrity_sha256(its_key)
                                       : writer.add_integrity(its_key);
                          }};
    CHECK(told.verifies(answer.message()) == row.counts);
  }
}

}  // namespace
}  // namespace yuelao::client::challenge_test
