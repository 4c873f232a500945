#include "server/poller.hpp"

#include "server/epoll_poller.hpp"
#include "server/ring_poller.hpp"
#include "server/start_error.hpp"

namespace yuelao::server {

std::unique_ptr<Poller> make_poller(config::Poller wanted) {
  if (wanted == config::Poller::epoll) return std::make_unique<EpollPoller>();
  auto ring = RingPoller::open();
  if (ring) return *std::move(ring);
  if (wanted == config::Poller::io_uring) {
    throw StartError{"`poller: io_uring` does not work here (" + ring.error().message() +
                     "): it needs Linux 6.1 and a system that allows it (the sysctl "
                     "kernel.io_uring_disabled, a container's seccomp profile); or choose auto."};
  }
  return std::make_unique<EpollPoller>();
}

}  // namespace yuelao::server
