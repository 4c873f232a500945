#include "server/merge_trial.hpp"

#include <doctest/doctest.h>

namespace yuelao::server::merge_trial_test {
namespace {

using Change = MergeTrial::Change;

// Receives of one message each until the trial changes something; how many there were.
int messages_until(MergeTrial& trial, Change wanted, std::size_t datagrams_each) {
  for (int messages = 1; messages <= 1'000'000; ++messages) {
    if (const auto change = trial.after(1, datagrams_each)) {
      CHECK(*change == wanted);
      return messages;
    }
  }
  FAIL("no change");
  return 0;
}

}  // namespace

TEST_CASE("a socket whose flows take turns is tried ever less often") {
  MergeTrial trial;
  CHECK(messages_until(trial, Change::do_not_merge, 1) == 128);
  CHECK(messages_until(trial, Change::merge, 1) == 1024);
  CHECK(messages_until(trial, Change::do_not_merge, 1) == 128);
  CHECK(messages_until(trial, Change::merge, 1) == 2048);
  for (int i = 0; i < 10; ++i) {
    messages_until(trial, Change::do_not_merge, 1);
    messages_until(trial, Change::merge, 1);
  }
  messages_until(trial, Change::do_not_merge, 1);
  CHECK(messages_until(trial, Change::merge, 1) == 65'536);
}

TEST_CASE("merging stays as long as it saves one message in five") {
  MergeTrial trial;
  for (int i = 0; i < 10'000; ++i) CHECK_FALSE(trial.after(4, 5));
  CHECK(messages_until(trial, Change::do_not_merge, 1) <= 128);
  // What it earned counts: the pause starts short again.
  CHECK(messages_until(trial, Change::merge, 1) == 1024);
}

}  // namespace yuelao::server::merge_trial_test
