#include "server/background.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/post.hpp>

namespace yuelao::server {
namespace {

// What is nearly done may finish.
constexpr std::chrono::seconds patience{1};

// What a job threw is thrown where its outcome would have run.
Background::Outcome outcome_of(const Background::Job& job) {
  try {
    return job();
  } catch (...) {
    return [error = std::current_exception()] { std::rethrow_exception(error); };
  }
}

}  // namespace

struct Background::State {
  explicit State(boost::asio::io_context& context) : io{&context} {}

  void work();

  std::mutex mutex;
  std::condition_variable news;
  std::deque<Job> jobs;
  bool busy = false;
  boost::asio::io_context* io;  // null once it is over
};

void Background::State::work() {
  std::unique_lock lock{mutex};
  while (true) {
    news.wait(lock, [this] { return io == nullptr || !jobs.empty(); });
    if (io == nullptr) return;
    auto job = std::move(jobs.front());
    jobs.pop_front();
    busy = true;
    lock.unlock();
    auto outcome = outcome_of(job);
    job = nullptr;
    lock.lock();
    busy = false;
    news.notify_all();
    if (io != nullptr) boost::asio::post(*io, std::move(outcome));
  }
}

Background::Background(boost::asio::io_context& io)
    : state_{std::make_shared<State>(io)}, thread_{[state = state_] { state->work(); }} {}

Background::~Background() {
  std::unique_lock lock{state_->mutex};
  state_->jobs.clear();
  const bool idle = state_->news.wait_for(lock, patience, [this] { return !state_->busy; });
  state_->io = nullptr;
  state_->news.notify_all();
  lock.unlock();
  // What libraries keep for the thread (OpenSSL's errors) goes with it: an end of the
  // process that overtakes the thread's would leak that.
  if (idle) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void Background::run(Job job) {
  const std::lock_guard lock{state_->mutex};
  state_->jobs.push_back(std::move(job));
  state_->news.notify_all();
}

}  // namespace yuelao::server
