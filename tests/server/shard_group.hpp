#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "config/config.hpp"
#include "protocol/turn/relay_directory.hpp"
#include "server/listeners.hpp"
#include "server/shard.hpp"
#include "server/shared_state.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::test {

// That loopback address only, ephemeral ports, the user `alice` with the password `wonderland`,
// and loopback peers allowed.
config::Config loopback_config(const IpAddress& at = loopback);

// Running shards without a server around them, so that a test can ask each of them
// what it counted.
class ShardGroup {
 public:
  explicit ShardGroup(const config::Config& config, unsigned shards = 1,
                      const std::shared_ptr<server::TlsContext>& tls = nullptr);
  ShardGroup(const ShardGroup&) = delete;
  ShardGroup& operator=(const ShardGroup&) = delete;
  ~ShardGroup();

  Endpoint udp() const { return address(Transport::udp); }
  Endpoint tcp() const { return address(Transport::tcp); }
  Endpoint tls() const { return address(Transport::tls); }
  Endpoint dtls() const { return address(Transport::dtls); }

  server::Shard& shard(std::size_t index) { return *shards_[index]; }
  server::ShardSnapshot snapshot(std::size_t index = 0);
  // Asks shard 0 until `holds`; false when it does not within `patience`.
  bool eventually(const std::function<bool(const server::ShardSnapshot&)>& holds);
  void stop();

 private:
  Endpoint address(Transport transport) const;

  turn::RelayDirectory directory_;
  server::SharedState shared_;
  std::vector<server::Listening> addresses_;
  std::vector<std::unique_ptr<server::Shard>> shards_;
  std::vector<std::thread> threads_;
};

}  // namespace yuelao::test
