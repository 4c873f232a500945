#include "server/systemd.hpp"

#include <systemd/sd-daemon.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <utility>

#include <boost/asio/steady_timer.hpp>

namespace yuelao::server {
namespace systemd {

// A notification that cannot be delivered changes nothing about serving, so the
// results are of no use; systemd's own timeouts notice.
void ready() { ::sd_notify(0, "READY=1"); }

// sd_notify(3): with RELOADING=1, MONOTONIC_USEC tells a new reload from a late message.
void reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds)).c_str());
}

void stopping(std::chrono::seconds at_most) {
  const auto microseconds = std::chrono::microseconds{at_most}.count();
  ::sd_notify(0, ("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(microseconds)).c_str());
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  std::uint64_t limit = 0;
  if (::sd_watchdog_enabled(0, &limit) <= 0) return std::nullopt;
  return std::chrono::microseconds{limit / 2};
}

}  // namespace systemd

struct Watchdog::State : std::enable_shared_from_this<State> {
  State(boost::asio::io_context& io, Ask every_shard, std::chrono::microseconds every)
      : timer{io}, ask{std::move(every_shard)}, interval{every} {}

  void tick() {
    ask([] { ::sd_notify(0, "WATCHDOG=1"); });
    timer.expires_after(interval);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error && !self->stopped) self->tick();
    });
  }

  boost::asio::steady_timer timer;
  Ask ask;
  std::chrono::microseconds interval;
  bool stopped = false;
};

Watchdog::Watchdog(boost::asio::io_context& io, Ask ask) {
  const auto interval = systemd::watchdog_interval();
  if (!interval) return;
  state_ = std::make_shared<State>(io, std::move(ask), *interval);
  state_->tick();
}

Watchdog::~Watchdog() {
  if (!state_) return;
  state_->stopped = true;
  state_->timer.cancel();
}

}  // namespace yuelao::server
