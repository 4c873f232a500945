#include "server/systemd.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>

namespace yuelao::server::systemd_test {
namespace {

using namespace std::chrono_literals;

void set(const char* name, const std::string& value) {
  ::setenv(name, value.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
}

// A service manager's socket, named in $NOTIFY_SOCKET for as long as this lives.
class ServiceManager {
 public:
  ServiceManager() : socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    // An abstract address that the kernel chooses (unix(7), autobind).
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&name), sizeof(sa_family_t)) == 0);
    socklen_t size = sizeof name;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&name), &size);
    const auto path_bytes = size - offsetof(sockaddr_un, sun_path);
    set("NOTIFY_SOCKET", "@" + std::string{name.sun_path + 1, path_bytes - 1});
  }
  ~ServiceManager() {
    ::close(socket_);
    for (const auto variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
      ::unsetenv(variable);  // NOLINT(concurrency-mt-unsafe)
    }
  }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // The next message that is already there; empty when there is none.
  std::string message() const {
    char text[512];
    const auto size = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? std::string{} : std::string(text, static_cast<std::size_t>(size));
  }

 private:
  int socket_;
};

long long monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

TEST_CASE("the service manager is told of readiness, reload and stopping") {
  const ServiceManager manager;
  systemd::ready();
  CHECK(manager.message() == "READY=1");

  const auto before = monotonic_microseconds();
  systemd::reloading();
  const auto reloading = manager.message();
  const std::string prefix = "RELOADING=1\nMONOTONIC_USEC=";
  REQUIRE(reloading.starts_with(prefix));
  const auto told = std::stoll(reloading.substr(prefix.size()));
  CHECK(told >= before);
  CHECK(told <= monotonic_microseconds());

  systemd::stopping(2h);
  CHECK(manager.message() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=7200000000");
}

TEST_CASE("outside systemd nothing happens") {
  systemd::ready();
  systemd::reloading();
  systemd::stopping(30s);
  CHECK_FALSE(systemd::watchdog_interval());

  boost::asio::io_context io;
  bool asked = false;
  const Watchdog watchdog{io, [&](const std::function<void()>&) { asked = true; }};
  CHECK(io.run() == 0);
  CHECK_FALSE(asked);
}

TEST_CASE("the watchdog's interval is half of what systemd allows") {
  const ServiceManager manager;
  set("WATCHDOG_USEC", "30000000");
  CHECK(systemd::watchdog_interval() == 15s);
  set("WATCHDOG_PID", std::to_string(::getpid()));
  CHECK(systemd::watchdog_interval() == 15s);
}

TEST_CASE("a watchdog meant for another process is not ours") {
  const ServiceManager manager;
  set("WATCHDOG_USEC", "30000000");
  set("WATCHDOG_PID", std::to_string(::getpid() + 1));
  CHECK_FALSE(systemd::watchdog_interval());
}

TEST_CASE("the watchdog is pinged again and again while the shards answer") {
  const ServiceManager manager;
  set("WATCHDOG_USEC", "2000");
  boost::asio::io_context io;
  int asked = 0;
  const Watchdog watchdog{io, [&](const std::function<void()>& answered) {
                            answered();
                            if (++asked == 3) io.stop();
                          }};
  io.run();
  for (int i = 0; i < 3; ++i) CHECK(manager.message() == "WATCHDOG=1");
  CHECK(manager.message().empty());
}

TEST_CASE("the watchdog is not pinged while a shard does not answer") {
  const ServiceManager manager;
  set("WATCHDOG_USEC", "2000");
  boost::asio::io_context io;
  std::function<void()> late;
  int asked = 0;
  const Watchdog watchdog{io, [&](std::function<void()> answered) {
                            late = std::move(answered);
                            if (++asked == 3) io.stop();
                          }};
  io.run();
  CHECK(manager.message().empty());
  late();
  CHECK(manager.message() == "WATCHDOG=1");
}

TEST_CASE("a watchdog that is gone asks nobody") {
  const ServiceManager manager;
  set("WATCHDOG_USEC", "2000");
  boost::asio::io_context io;
  int asked = 0;
  {
    const Watchdog watchdog{io, [&](const std::function<void()>&) { ++asked; }};
  }
  io.run();
  CHECK(asked == 1);
}

}  // namespace
}  // namespace yuelao::server::systemd_test
