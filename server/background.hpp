#pragma once

#include <functional>
#include <memory>
#include <thread>

#include <boost/asio/io_context.hpp>

namespace yuelao::server {

// A thread for what may block for seconds (name look-ups, STUN): jobs one after another,
// and what each of them returns runs on the io_context.
//
// Nobody can interrupt a resolver. So a job takes what it needs by value, and what still
// runs a moment after the end is left behind, its outcome ignored.
class Background {
 public:
  using Outcome = std::function<void()>;
  using Job = std::function<Outcome()>;

  explicit Background(boost::asio::io_context& io);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();

  void run(Job job);

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace yuelao::server
