#include "server/probe/waiting.hpp"

#include <poll.h>

#include <algorithm>
#include <vector>

namespace yuelao::probe {

bool wait_for(std::initializer_list<int> descriptors, Wish wish, SteadyTime until) {
  std::vector<pollfd> waiting;
  for (const int descriptor : descriptors) {
    const short events = wish == Wish::read ? POLLIN : POLLOUT;
    waiting.push_back({.fd = descriptor, .events = events, .revents = 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_now());
  if (left.count() <= 0) return false;
  const auto timeout = static_cast<int>(std::min<std::int64_t>(left.count(), 60'000));
  return ::poll(waiting.data(), waiting.size(), timeout) > 0;
}

}  // namespace yuelao::probe
