#include "server/command/state.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <vector>

#include "tests/support/temporary_directory.hpp"

namespace yuelao::server::state_test {
namespace {

using test::TemporaryDirectory;

unsigned mode(const std::filesystem::path& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

std::string refused(const std::filesystem::path& directory) {
  const auto secret = read_or_make_secret(directory);
  REQUIRE_FALSE(secret);
  return secret.error();
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the first start makes a secret of 256 bits that only its owner can read") {
  const TemporaryDirectory directory;
  const auto state = directory.path() / "a" / "yuelao";
  const auto made = read_or_make_secret(state);
  REQUIRE(made);
  CHECK(made->reveal().size() == 64);
  CHECK(made->reveal().find_first_not_of("0123456789abcdef") == std::string_view::npos);
  CHECK(mode(state) == 0700);
  CHECK(mode(secret_file(state)) == 0600);
  const auto entries = std::filesystem::directory_iterator{state};
  CHECK(std::distance(begin(entries), end(entries)) == 1);  // no draft is left
}

TEST_CASE("the next start reads the same secret, another directory has another") {
  const TemporaryDirectory one, two;
  const auto made = read_or_make_secret(one.path());
  REQUIRE(made);
  CHECK(*read_or_make_secret(one.path()) == *made);
  CHECK(*read_secret(one.path()) == *made);
  CHECK_FALSE(*read_or_make_secret(two.path()) == *made);
}

TEST_CASE("servers that start at the same moment agree on one secret") {
  const TemporaryDirectory directory;
  const auto state = directory.path() / "state";
  std::vector<std::future<std::expected<Secret, std::string>>> starts;
  starts.reserve(4);
  for (int i = 0; i < 4; ++i) {
    starts.push_back(std::async(std::launch::async, [&] { return read_or_make_secret(state); }));
  }
  for (auto& start : starts) {
    const auto secret = start.get();
    REQUIRE_MESSAGE(secret, (secret ? "" : secret.error()));
    CHECK(*secret == *read_secret(state));
  }
}

TEST_CASE("only the server makes a secret") {
  const TemporaryDirectory directory;
  const auto secret = read_secret(directory.path());
  REQUIRE_FALSE(secret);
  CHECK(holds(secret.error(), "start the server first"));
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a secret file that is not as it was left is refused with the fix") {
  const TemporaryDirectory directory;
  const auto file = directory.write("rest-secret", std::string(64, 'a') + "\n");
  REQUIRE(read_secret(directory.path()));
  for (const auto open : {0640U, 0604U, 0620U}) {
    CAPTURE(open);
    ::chmod(file.c_str(), open);
    CHECK(holds(refused(directory.path()), "chmod 600"));
  }
  directory.write("rest-secret", "");
  CHECK(holds(refused(directory.path()), "is empty or cut off"));
  directory.write("rest-secret", std::string(31, 'a'));
  CHECK(holds(refused(directory.path()), "is empty or cut off"));
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  CHECK(holds(refused(directory.path()), "is not a file"));
}

TEST_CASE("a directory that cannot be made is refused with the fix") {
  const TemporaryDirectory directory;
  directory.write("taken", "a file");
  CHECK(holds(refused(directory.path() / "taken"), "--state-directory"));
  CHECK(holds(refused(directory.path() / "taken" / "below"), "--state-directory"));
}

TEST_CASE("the state directory is the chosen one, systemd's, or the user's") {
  CHECK(state_directory("/chosen") == "/chosen");
  ::setenv("STATE_DIRECTORY", "/run/first:/run/second", 1);
  CHECK(state_directory("") == "/run/first");
  CHECK(state_directory("/chosen") == "/chosen");
  ::unsetenv("STATE_DIRECTORY");
  if (::geteuid() == 0) CHECK(state_directory("") == "/var/lib/yuelao");
}

}  // namespace yuelao::server::state_test
