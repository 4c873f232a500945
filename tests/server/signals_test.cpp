#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "server/log.hpp"
#include "server/server.hpp"
#include "server/start_error.hpp"
#include "tests/server/certificate.hpp"
#include "tests/server/shard_group.hpp"
#include "tests/server/turn_client.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::server::signals_test {
namespace {

using test::loopback;
using test::loopback_config;
using test::TlsWire;
using test::TurnClient;
using test::UdpWire;
using namespace std::chrono_literals;

// A whole server on a thread of its own; signals go to this process.
class RunningServer {
 public:
  explicit RunningServer(const config::Config& config)
      : server_{config, [this] { return reload(); }} {
    set_up_log(config.log);
    status_ = std::async(std::launch::async, [this] { return server_.run(); });
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() {
    if (status_.valid()) {
      signal(SIGINT);
      status_.wait();
    }
  }

  Endpoint at(Transport transport) const {
    for (const auto& listening : server_.listening()) {
      if (listening.transport == transport) return listening.at;
    }
    return {};
  }
  static void signal(int number) { ::kill(::getpid(), number); }
  // Sends SIGHUP; returns once the server has asked for its configuration, which is
  // then this one. What it makes of it comes before the next signal.
  void reload_with(std::expected<config::Config, std::string> fresh) {
    std::promise<void> asked;
    auto seen = asked.get_future();
    {
      const std::lock_guard lock{mutex_};
      fresh_ = std::move(fresh);
      asked_ = std::move(asked);
    }
    signal(SIGHUP);
    REQUIRE(seen.wait_for(test::patience) == std::future_status::ready);
  }
  bool running_after(std::chrono::milliseconds wait) const {
    return status_.wait_for(wait) == std::future_status::timeout;
  }
  int status() { return status_.get(); }

 private:
  std::expected<config::Config, std::string> reload() {
    const std::lock_guard lock{mutex_};
    asked_.set_value();
    return fresh_;
  }

  std::mutex mutex_;
  std::promise<void> asked_;
  std::expected<config::Config, std::string> fresh_ = std::unexpected{"none was set"};
  Server server_;
  std::future<int> status_;
};

bool can_allocate(const RunningServer& server, const std::string& user,
                  const std::string& password) {
  UdpWire wire{loopback, server.at(Transport::udp)};
  return TurnClient{wire, user, password}.allocate().has_value();
}

// A signal takes effect some time after it was sent.
bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + test::patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (holds()) return true;
  }
  return false;
}

// A call with a peer, that can be checked again and again.
struct Call {
  UdpWire wire;
  TurnClient client{wire, "alice", "wonderland"};
  std::optional<Endpoint> relayed = client.allocate();
  UdpWire peer{Endpoint{loopback, 0}};

  explicit Call(const RunningServer& server) : wire{loopback, server.at(Transport::udp)} {
    REQUIRE(relayed.has_value());
    REQUIRE(client.bind_channel(0x4001, peer.local()));
  }
  bool goes_on() {
    client.send(0x4001, "still there?");
    if (!peer.receive()) return false;
    peer.send_to(*relayed, as_bytes("yes"));
    return client.receive(0x4001) == "yes";
  }
};

TEST_CASE("SIGHUP brings the new configuration while calls go on") {
  const test::TemporaryDirectory directory;
  auto config = loopback_config();
  config.threads = 2;
  config.tls = test::make_certificate(directory.path(), "first");
  RunningServer server{config};
  Call call{server};
  TlsWire secure{server.at(Transport::tcp)};
  TurnClient over_tls{secure, "alice", "wonderland"};
  REQUIRE(over_tls.allocate().has_value());

  auto fresh = config;
  fresh.turn.credentials.users.push_back({"bob", Secret{"builder"}});
  fresh.tls = test::make_certificate(directory.path(), "second");
  server.reload_with(fresh);
  CHECK(eventually([&] {
    // The load under which the configuration changes.
    return call.goes_on() && can_allocate(server, "bob", "builder");
  }));
  CHECK(call.goes_on());
  CHECK(call.client.refresh(600s));
  CHECK(over_tls.refresh(600s));
  CHECK(TlsWire(server.at(Transport::tcp)).connected());
}

TEST_CASE("what is wrong with a new configuration leaves the old one in force") {
  const test::TemporaryDirectory directory;
  auto config = loopback_config();
  config.tls = test::make_certificate(directory.path(), "good");
  RunningServer server{config};
  Call call{server};

  auto expired = config;
  expired.turn.credentials.users = {{"bob", Secret{"builder"}}};
  expired.tls = test::make_certificate(directory.path(), "old", -7200, -60);
  server.reload_with(expired);
  server.reload_with(std::unexpected{"yuelao.yaml:3:1: unknown key `lisen`"});

  auto good = config;
  good.turn.credentials.users.push_back({"carol", Secret{"song"}});
  server.reload_with(good);
  CHECK(eventually([&] { return can_allocate(server, "carol", "song"); }));
  CHECK_FALSE(can_allocate(server, "bob", "builder"));
  CHECK(call.goes_on());
  CHECK(TlsWire(server.at(Transport::tcp)).connected());
}

TEST_CASE("SIGTERM waits for the calls that are up and takes no new ones") {
  RunningServer server{loopback_config()};
  Call call{server};
  RunningServer::signal(SIGTERM);
  CHECK(eventually([&] { return !can_allocate(server, "alice", "wonderland"); }));
  CHECK(call.goes_on());
  CHECK(server.running_after(0ms));
  CHECK(call.client.refresh(0s));
  CHECK(server.status() == 0);
}

TEST_CASE("SIGTERM without calls ends the server at once") {
  RunningServer server{loopback_config()};
  RunningServer::signal(SIGTERM);
  CHECK(server.status() == 0);
}

TEST_CASE("calls that outlast the drain are ended") {
  auto config = loopback_config();
  config.drain_timeout = 1s;
  RunningServer server{config};
  const Call call{server};
  RunningServer::signal(SIGTERM);
  CHECK(server.status() == 0);
}

TEST_CASE("a second SIGTERM, or a SIGINT, does not wait") {
  for (const int second : {SIGTERM, SIGINT}) {
    RunningServer server{loopback_config()};
    Call call{server};
    RunningServer::signal(SIGTERM);
    CHECK(eventually([&] { return !can_allocate(server, "alice", "wonderland"); }));
    RunningServer::signal(second);
    CHECK(server.status() == 0);
  }
}

TEST_CASE("a TLS listener without a certificate does not start") {
  auto config = loopback_config();
  config.listen = {{Transport::tls, loopback, 0}};
  CHECK_THROWS_AS(RunningServer{config}, StartError);
}

}  // namespace
}  // namespace yuelao::server::signals_test
