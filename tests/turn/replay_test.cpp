// A recorded session replays byte for byte (ARCHITECTURE.md): tests/vectors/session.txt.
//
// Where what the engine does is to change, record the session anew, and read the diff:
//
//   YUELAO_RECORD_SESSION=1 build/dev/tests/turn/turn_test --test-case='the session recorded anew*'

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>

#include <doctest/doctest.h>

#include "tests/turn/session_record.hpp"
#include "tests/turn/session_replay.hpp"
#include "tests/turn/session_script.hpp"

namespace yuelao::turn::test::replay_test {
namespace {

constexpr auto session_file = YUELAO_TEST_DIR "/vectors/session.txt";

std::string recorded_session() {
  std::ifstream file{session_file};
  return {std::istreambuf_iterator<char>{file}, {}};
}

void check_replays(std::string_view text) {
  const auto parting = replay(text);
  if (!parting) return;
  FAIL_CHECK("line " << parting->line << "\nrecorded: " << parting->recorded
                     << "\nreplayed: " << parting->replayed);
}

// The text with `from`, where it stands first behind `behind`, replaced.
std::string changed(std::string text, std::string_view behind, std::string_view from,
                    std::string_view to) {
  const auto at = text.find(from, text.find(behind));
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::size_t line_of(const std::string& text, std::string_view words) {
  const auto at = text.find(words);
  REQUIRE(at != std::string::npos);
  return 1 + static_cast<std::size_t>(
                 std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

// How many lines there are in which `word` stands at its place.
std::size_t lines_with(const std::vector<std::string>& lines, char mark, std::string_view word) {
  const auto says = [&](const std::string& line) {
    return line.starts_with(mark) && (line + " ").find(" " + std::string{word} + " ") < line.size();
  };
  return static_cast<std::size_t>(std::ranges::count_if(lines, says));
}

}  // namespace

TEST_CASE("a recorded session replays byte for byte") {
  const auto sealed = recorded_session();
  const auto text = unseal(sealed);
  check_replays(text);
  check_replays(text);  // and again in the same process
}

TEST_CASE("the session recorded anew is the one in the file") {
  const auto anew = play_script()->record.sealed();
  if (std::getenv("YUELAO_RECORD_SESSION") != nullptr) std::ofstream{session_file} << anew;
  const auto recorded = recorded_session();
  const auto [here, there] = std::ranges::mismatch(anew, recorded);
  INFO("from line " << 1 + std::count(anew.begin(), here, '\n'));
  CHECK((here == anew.end() && there == recorded.end()));
}

TEST_CASE("the seal breaks with any octet") {
  const auto sealed = recorded_session();
  CHECK_THROWS_AS(unseal(""), std::invalid_argument);
  CHECK_THROWS_AS(unseal(sealed.substr(0, sealed.size() - 1)), std::invalid_argument);
  CHECK_THROWS_AS(unseal(sealed + "\n"), std::invalid_argument);
  for (const std::size_t at : {std::size_t{0}, sealed.size() / 2, sealed.size() - 2}) {
    auto broken = sealed;
    broken[at] ^= 1;
    CHECK_THROWS_AS(unseal(broken), std::invalid_argument);
  }
  const auto resealed = seal(unseal(sealed));
  CHECK(resealed == sealed);
}

TEST_CASE("a replay says at which line it parts from what was recorded") {
  const auto sealed = recorded_session();
  const std::string text{unseal(sealed)};
  const auto parts_at = [](const std::string& replayed) {
    const auto parting = replay(replayed);
    return parting ? parting->line : 0;
  };
  const auto challenge = line_of(text, "Allocate-error-401");

  SUBCASE("an output that was another one") {
    const auto other = changed(text, "Allocate-error-401", ":0113", ":0114");
    CHECK(parts_at(other) == challenge);
  }
  SUBCASE("an input that was another one, in what comes of it") {
    const auto port = changed(text, "client-message", "203.0.112.9:40000", "203.0.112.9:40001");
    CHECK(parts_at(port) == line_of(text, "client-message") + 1);
  }
  SUBCASE("a time that was another one: its nonce is") {
    const auto later = changed(text, "# Credentials", "1800000000s", "1800000001s");
    CHECK(parts_at(later) == challenge);
  }
  SUBCASE("an output that was left out, or added") {
    const auto at = text.find("< 0 Send", text.find("# Credentials"));
    const auto end = text.find('\n', at) + 1;
    CHECK(parts_at(text.substr(0, at) + text.substr(end)) == challenge);
    CHECK(parts_at(text.substr(0, end) + text.substr(at)) == challenge + 1);
  }
  SUBCASE("an input that nobody can read") {
    const auto garbled = changed(text, "> ", "client-message", "client-massage");
    CHECK(parts_at(garbled) == line_of(text, "client-message"));
  }
}

TEST_CASE("the session meets whatever the engine can be given, and can answer") {
  const auto session = play_script();
  const auto& lines = session->record.lines();
  for (const auto word : input_words()) {
    CAPTURE(word);
    CHECK(lines_with(lines, '>', word) > 0);
  }
  for (const auto word : output_words()) {
    CAPTURE(word);
    CHECK(lines_with(lines, '<', word) > 0);
  }
  Counters sum;
  for (const auto& shard : session->shards) {
    const auto& counters = shard->engine.counters();
    std::ranges::transform(sum.errors, counters.errors, sum.errors.begin(), std::plus{});
    std::ranges::transform(sum.drops, counters.drops, sum.drops.begin(), std::plus{});
    std::ranges::transform(sum.requests_succeeded, counters.requests_succeeded,
                           sum.requests_succeeded.begin(), std::plus{});
  }
  for (std::size_t i = 0; i < error_slots; ++i) {
    CAPTURE(static_cast<int>(error_at(i)));
    CHECK(sum.errors.at(i) > 0);
  }
  for (std::size_t i = 0; i + 1 < method_slots; ++i) {
    CAPTURE(method_name(i));
    CHECK(sum.requests_succeeded.at(i) > 0);
  }
  for (std::size_t i = 0; i < drop_count; ++i) {
    const auto drop = static_cast<Drop>(i);
    // The server's own, and what no message of the session's sizes can come to.
    if (drop == Drop::send_queue_full || drop == Drop::send_failed ||
        drop == Drop::no_association || drop == Drop::too_large) {
      continue;
    }
    CAPTURE(name(drop));
    CHECK(sum.drops.at(i) > 0);
  }
}

}  // namespace yuelao::turn::test::replay_test
