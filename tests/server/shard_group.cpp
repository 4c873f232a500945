#include "tests/server/shard_group.hpp"

#include <chrono>
#include <future>
#include <stdexcept>

#include "tests/server/tested_poller.hpp"
#include "tests/server/wire.hpp"

namespace yuelao::test {

config::Config loopback_config(const IpAddress& at) {
  config::Config config;
  config.listen = {{Transport::udp, at, 0}, {Transport::tcp, at, 0}};
  config.metrics.reset();
  config.log.level = config::LogLevel::error;
  config.poller = tested_poller();
  config.turn.relay_addresses = {{.advertised = at, .bound = at}};
  config.turn.peers.allow = {*IpRange::parse("127.0.0.0/8"), *IpRange::parse("::1")};
  config.turn.credentials.users = {{"alice", Secret{"wonderland"}}};
  config.turn.nonce_key = Secret{std::string(32, 'k')};
  config.turn.limits.strangers = turn::unlimited;  // tests ask more than clients do
  return config;
}

ShardGroup::ShardGroup(const config::Config& config, unsigned shards,
                       const std::shared_ptr<server::TlsContext>& tls)
    : directory_{config.turn.relay_addresses}, shared_{config, shards} {
  auto listeners = server::open_listeners(config.listen, shards);
  addresses_ = std::move(listeners.addresses);
  const PortRange ports{config.relay.first_port, config.relay.last_port};
  for (unsigned i = 0; i < shards; ++i) {
    auto& shard = shards_.emplace_back(std::make_unique<server::Shard>(
        config.turn, server::slice_of(ports, i, shards),
        server::Shard::Common{.shared = shared_,
                              .directory = directory_,
                              .number = static_cast<turn::ShardNumber>(i),
                              .others = [this](turn::ShardNumber number) -> server::Shard& {
                                return *shards_[number];
                              },
                              .poller = config.poller}));
    shard->use({tls, config.proxies, config.web_server});
    for (auto& [transport, socket] : listeners.shards[i].datagrams) {
      shard->add_listener(std::move(socket), transport);
    }
    for (auto& [transport, socket] : listeners.shards[i].streams) {
      shard->add_listener(std::move(socket), transport);
    }
  }
  for (const auto& shard : shards_) {
    threads_.emplace_back([&shard = *shard] { shard.run(); });
    threads_.emplace_back([&shard = *shard] { shard.run_entrance(); });
  }
}

ShardGroup::~ShardGroup() { stop(); }

void ShardGroup::stop() {
  if (threads_.empty()) return;
  for (const auto& shard : shards_) shard->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

server::ShardSnapshot ShardGroup::snapshot(std::size_t index) {
  auto promise = std::make_shared<std::promise<server::ShardSnapshot>>();
  auto future = promise->get_future();
  shards_[index]->snapshot([promise](const auto& snapshot) { promise->set_value(snapshot); });
  if (future.wait_for(patience) != std::future_status::ready) {
    throw std::runtime_error{"the shard does not answer"};
  }
  return future.get();
}

bool ShardGroup::eventually(const std::function<bool(const server::ShardSnapshot&)>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (holds(snapshot())) return true;
  }
  return false;
}

Endpoint ShardGroup::address(Transport transport) const {
  for (const auto& listening : addresses_) {
    if (listening.transport == transport) return listening.at;
  }
  throw std::runtime_error{"no such listener"};
}

}  // namespace yuelao::test
