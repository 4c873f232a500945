#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/load.hpp"
#include "tests/support/temporary_directory.hpp"

namespace yuelao::config::secrets_test {
namespace {

using test::TemporaryDirectory;

Config good(const TemporaryDirectory& directory, std::string_view text) {
  auto config = load(directory.write("yuelao.yaml", text));
  REQUIRE_MESSAGE(config, (config ? "" : config.error().to_string()));
  return std::move(*config);
}

std::string refused(const TemporaryDirectory& directory, std::string_view text) {
  const auto config = load(directory.write("yuelao.yaml", text));
  REQUIRE_FALSE(config);
  return config.error().to_string();
}

constexpr std::string_view long_secret = "0123456789abcdef0123456789abcdef";

}  // namespace

TEST_CASE("secrets come from the file, from files and from the environment") {
  const TemporaryDirectory directory;
  directory.write("turn.secret", "fedcba98765432100123456789abcdef\r\n");
  ::setenv("YUELAO_TEST_SECRET", "from the environment, long enough", 1);
  const auto config = good(directory,
                           "secrets:\n- value: 0123456789abcdef0123456789abcdef\n"
                           "- file: turn.secret\n- env: YUELAO_TEST_SECRET\n");
  const auto& secrets = config.turn.credentials.rest_secrets;
  REQUIRE(secrets.size() == 3);
  CHECK(secrets[0].reveal() == long_secret);
  CHECK(secrets[1].reveal() == "fedcba98765432100123456789abcdef");
  CHECK(secrets[2].reveal() == "from the environment, long enough");
  CHECK(config.warnings.empty());
}

TEST_CASE("users and their passwords are prepared as clients prepare them") {  // RFC 8265 §4.2
  const TemporaryDirectory directory;
  directory.write("password", "p\u00A0ss\n");
  const auto config = good(directory,
                           "users:\n- {name: \"A\\u030Angstrom\", password: secret}\n"
                           "- {name: b, password_file: password}\n");
  const auto& users = config.turn.credentials.users;
  REQUIRE(users.size() == 2);
  CHECK(users[0].name == "\u00C5ngstrom");
  CHECK(users[0].password.reveal() == "secret");
  CHECK(users[1].password.reveal() == "p ss");
}

TEST_CASE("a secret that cannot be had is one sentence with its place") {
  const TemporaryDirectory directory;
  directory.write("empty", "\n");
  directory.write("two", "one\ntwo\n");
  ::mkfifo((directory.path() / "fifo").c_str(), 0600);
  ::unsetenv("YUELAO_TEST_UNSET");
  struct Row {
    std::string_view text, place, sentence;
  };
  constexpr Row rows[] = {
      {"secrets: [{file: missing}]", ":1:18: ", "/missing cannot be read (No such file"},
      {"secrets: [{file: empty}]", ":1:18: ", "/empty is empty"},
      {"secrets: [{file: two}]", ":1:18: ", "holds more than one line"},
      {"secrets: [{file: fifo}]", ":1:18: ", "/fifo is not a file"},
      {"secrets: [{file: .}]", ":1:18: ", "is not a file"},
      {"secrets: [{env: YUELAO_TEST_UNSET}]", ":1:17: ", "`YUELAO_TEST_UNSET` is not set"},
      {"users: [{name: a, password_file: missing}]", ":1:34: ", "cannot be read"},
      {"users: [{name: a, password: \"\\u0001\"}]", ":1:29: ", "control characters"},
      {"users: [{name: \"\\u0001\", password: a}]", ":1:16: ", "no client can send"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto error = refused(directory, row.text);
    CAPTURE(error);
    CHECK(error.find("yuelao.yaml" + std::string{row.place}) != std::string::npos);
    CHECK(error.find(row.sentence) != std::string::npos);
  }
}

TEST_CASE("a user name longer than STUN can carry is refused") {  // RFC 8489 §14.3
  const TemporaryDirectory directory;
  const auto with_name = [](std::size_t length) {
    return "users: [{password: x, name: " + std::string(length, 'n') + "}]";
  };
  CHECK(good(directory, with_name(508)).turn.credentials.users.size() == 1);
  CHECK(refused(directory, with_name(509)).find("too long") != std::string::npos);
}

TEST_CASE("a secret file that others may read works and gives a warning") {
  const TemporaryDirectory directory;
  const auto file = directory.write("open", "0123456789abcdef0123456789abcdef\n");
  for (const auto mode : {0640U, 0604U}) {
    CAPTURE(mode);
    ::chmod(file.c_str(), mode);
    const auto config = good(directory, "secrets:\n- file: open\n");
    REQUIRE(config.warnings.size() == 1);
    CHECK(config.warnings[0].find("yuelao.yaml:2:9: ") != std::string::npos);
    CHECK(config.warnings[0].find("can be read by others") != std::string::npos);
  }
}

TEST_CASE("no error and no warning repeats a secret") {
  const TemporaryDirectory directory;
  for (const auto* text : {"secrets: [{value: hunter2, file: x}]", "secrets: [{value: [hunter2]}]",
                           "users: [{name: a, password: {hunter2: x}}]",
                           "users: [{name: a, password: \"hunter2\\u0001\"}]"}) {
    CAPTURE(text);
    CHECK(refused(directory, text).find("hunter2") == std::string::npos);
  }
  const auto config = good(directory, "secrets: [{value: hunter2}]");
  REQUIRE(config.warnings.size() == 1);
  CHECK(config.warnings[0].find("hunter2") == std::string::npos);
}

}  // namespace yuelao::config::secrets_test
