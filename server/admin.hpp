#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "protocol/endpoint.hpp"
#include "server/meters.hpp"
#include "server/metrics.hpp"

namespace yuelao::server {

class HttpListener;

// The HTTP listener for the operator's own machines: /metrics for Prometheus, /healthz
// (200 when every shard answers in time), /readyz (200 when new calls are welcome), and the
// connection check at / (web_page.hpp). It
// shows no address and no user name, but has no access control either: keep it on
// loopback. Lives on the thread that runs `io`, which must be one thread.
class Admin {
 public:
  using Snapshots = std::function<void(std::vector<ShardSnapshot>)>;
  struct Sources {
    // Asks every shard and calls its argument once, when all have answered, from any
    // thread and as late as it likes. Not calling it is how a stuck shard shows.
    std::function<void(Snapshots)> collect;
    // False while starting and while draining.
    std::function<bool()> ready;
    std::function<ServerFacts()> facts;
  };

  // Throws StartError when `at` cannot be listened on. A port of 0 takes any free one.
  Admin(boost::asio::io_context& io, const Endpoint& at, Sources sources);
  // Closes listener and connections. Belongs on the thread that runs `io`, or after it
  // has ended; what is still in flight ends when `io` runs on or is destroyed.
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  Endpoint endpoint() const;

 private:
  struct Pages;
  std::shared_ptr<Pages> pages_;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace yuelao::server
