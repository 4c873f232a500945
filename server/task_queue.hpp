#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace yuelao::server {

// What other threads want done on the owner's: each task runs there once, in the order they
// came, or is destroyed with the queue.
class TaskQueue {
 public:
  using Task = std::move_only_function<void()>;

  // `wake` is called by a posting thread when the queue was empty before.
  explicit TaskQueue(std::function<void()> wake) : wake_{std::move(wake)} {}

  // From any thread.
  void post(Task task) {
    bool first = false;
    {
      const std::lock_guard lock{mutex_};
      first = waiting_.empty();
      waiting_.push_back(std::move(task));
    }
    if (first) wake_();
  }

  // On the owner's thread. Those that are posted meanwhile wait for the next time.
  void run() {
    std::vector<Task> tasks;
    {
      const std::lock_guard lock{mutex_};
      tasks.swap(waiting_);
    }
    for (auto& task : tasks) task();
  }

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<Task> waiting_;
};

}  // namespace yuelao::server
