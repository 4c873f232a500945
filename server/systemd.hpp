#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>

namespace yuelao::server {

// Tells the service manager (sd_notify(3)) how far we are. All of this does nothing
// outside systemd, that is, without $NOTIFY_SOCKET. The environment is left as it is.
namespace systemd {
void ready();
void reloading();  // ready() ends it
// Stopping may take this long, whatever the unit's TimeoutStopSec says.
void stopping(std::chrono::seconds at_most);

// How often to send the watchdog's ping: half of $WATCHDOG_USEC, empty when it is unset
// or meant for another process.
std::optional<std::chrono::microseconds> watchdog_interval();
}  // namespace systemd

// Pings systemd's watchdog as long as every shard answers, so that a stuck shard gets
// the server restarted. Does nothing when no watchdog is asked for.
class Watchdog {
 public:
  // Calls its argument, from any thread, when every shard has answered.
  using Ask = std::function<void(std::function<void()>)>;

  // Asks now and at every interval, on the thread that runs `io`.
  Watchdog(boost::asio::io_context& io, Ask ask);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace yuelao::server
