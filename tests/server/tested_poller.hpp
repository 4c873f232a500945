#pragma once

#include <cstdlib>
#include <memory>
#include <string_view>

#include "config/config.hpp"
#include "server/poller.hpp"
#include "server/sender.hpp"

namespace yuelao::test {

// The poller that this run of the tests is about: each binary that has one is run with each of
// them. Where the kernel refuses io_uring, every test of that run fails and says so.
inline config::Poller tested_poller() {
  const char* const wanted = std::getenv("YUELAO_TEST_POLLER");
  const std::string_view name = wanted == nullptr ? "" : wanted;
  if (name == "io_uring") return config::Poller::io_uring;
  return name == "epoll" ? config::Poller::epoll : config::Poller::automatic;
}

// That poller, on the thread of its maker.
class TestedPoller {
 public:
  TestedPoller() { poller_->begin(); }
  TestedPoller(const TestedPoller&) = delete;
  TestedPoller& operator=(const TestedPoller&) = delete;
  ~TestedPoller() { poller_->end(); }

  server::Poller& operator*() { return *poller_; }
  server::Poller* operator->() { return poller_.get(); }

  // As a shard does.
  void flush(server::Sender& sender) {
    sender.post();
    poller_->submit();
    sender.finish();
  }

 private:
  std::unique_ptr<server::Poller> poller_ = server::make_poller(tested_poller());
};

}  // namespace yuelao::test
