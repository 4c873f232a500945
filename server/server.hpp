#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "server/address_watch.hpp"
#include "server/listeners.hpp"
#include "server/location.hpp"
#include "server/sandbox/sandbox.hpp"

namespace yuelao::server {

// The running server: shards, admin listener, signals. Everything that can fail at the
// start fails in the constructor, as StartError, with one sentence that names the fix.
class Server {
 public:
  // Both are called on a thread that may outlive the server, one after another, and may
  // take their time.
  //
  // On SIGHUP: the new configuration, addresses resolved, or one sentence on why there is
  // none; then the old one stays.
  using Reload = std::function<std::expected<config::Config, std::string>()>;
  // Where `config` has its addresses now; empty: where they were.
  using Locate = std::function<std::optional<Location>(const config::Config& config,
                                                       AddressWatch::Occasion occasion)>;

  // `config` has its addresses resolved (addresses.hpp), which stay so without `locate`.
  Server(const config::Config& config, Reload reload, Locate locate = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where it listens, with the ports that the kernel chose for 0.
  const std::vector<Listening>& listening() const;

  // Serves until SIGTERM (drains first) or SIGINT (at once). Returns the exit status. The first
  // thread beside the caller's starts here, so that all are in a sandbox it entered before.
  int run(Sandbox sandbox = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace yuelao::server
