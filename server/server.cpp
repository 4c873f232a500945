#include "server/server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/stun/credentials.hpp"
#include "protocol/turn/relay_directory.hpp"
#include "server/admin.hpp"
#include "server/background.hpp"
#include "server/credential_service.hpp"
#include "server/log.hpp"
#include "server/memory_reserve.hpp"
#include "server/process.hpp"
#include "server/random.hpp"
#include "server/reload.hpp"
#include "server/shard.hpp"
#include "server/shared_state.hpp"
#include "server/start_error.hpp"
#include "server/systemd.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

// Signs nonces; the size of its HMAC's output.
constexpr std::size_t nonce_key_bytes = 32;

void ensure_nonce_key(turn::Options& options) {
  if (!options.nonce_key.empty()) return;
  std::string key(nonce_key_bytes, '\0');
  SystemRandom{}.fill(std::as_writable_bytes(std::span{key}));
  options.nonce_key = Secret{std::move(key)};
}

std::shared_ptr<TlsContext> load_tls(const config::Config& config) {
  if (config.tls) return load_tls_context(*config.tls);
  const bool needed = std::ranges::any_of(config.listen, [](const auto& listen) {
    return listen.transport == Transport::tls || listen.transport == Transport::dtls;
  });
  if (!needed) return nullptr;
  throw StartError{
      "`listen` has a tls port but no certificate is configured: set `tls`, or remove that port."};
}

// RFC 8489 §9.2.2 keys long-term credentials with MD5, and browsers know nothing else.
void require_md5() {
  if (stun::long_term_keys_work()) return;
  throw StartError{
      "OpenSSL refuses MD5 here (FIPS mode?), without which no client can log in: start yuelao "
      "with an OPENSSL_CONF of its own that allows it."};
}

unsigned shard_count(const config::Config& config, PortRange ports) {
  const unsigned wanted =
      config.threads != 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
  return static_cast<unsigned>(
      std::min<std::size_t>({wanted, ports.size(), turn::RelayDirectory::most_shards}));
}

config::Config completed(config::Config config) {
  ensure_nonce_key(config.turn);
  return config;
}

}  // namespace

// Everything here lives on the thread that calls run(), but for what shards call back.
struct Server::State {
  State(const config::Config& wanted, Reload reload_, Locate locate_)
      : config{completed(wanted)},
        reload{std::move(reload_)},
        locate{std::move(locate_)},
        tls{load_tls(config)},
        directory{config.turn.relay_addresses},
        ports{config.relay.first_port, config.relay.last_port},
        shared{config, shard_count(config, ports)} {
    create_shards();
    if (config.credentials.listen) credential_service.emplace(io, config);
    if (config.metrics) admin.emplace(io, *config.metrics, admin_sources());
  }
  ~State() { end(); }

  void create_shards();
  Admin::Sources admin_sources();
  void collect(Admin::Snapshots answer);
  int run();
  void wait_for_signal();
  void on_signal(int signal);
  void on_reload();
  void take(std::expected<config::Config, std::string> fresh);
  std::expected<std::string, std::string> apply(std::expected<config::Config, std::string> fresh);
  void watch_addresses();
  void look(AddressWatch::Occasion occasion);
  void relocate(Location location);
  turn::Options served_options() const;
  StreamSettings stream_settings() const { return {tls, config.proxies, config.web_server}; }
  void readdress(std::vector<turn::RelayAddress> addresses, std::vector<IpAddress> own);
  void drain();
  void on_shard_drained();
  void end();

  // First in, last out: shards and admin post to it until they are gone.
  asio::io_context io{1};
  config::Config config;
  Reload reload;
  Locate locate;
  std::shared_ptr<TlsContext> tls;
  turn::RelayDirectory directory;
  PortRange ports;
  SharedState shared;
  std::vector<Listening> listening;
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<std::thread> threads;
  asio::signal_set signals{io, SIGTERM, SIGINT, SIGHUP};
  asio::steady_timer drain_deadline{io};
  std::optional<CredentialService> credential_service;
  std::optional<Admin> admin;
  std::optional<Watchdog> watchdog;
  std::optional<AddressWatch> address_watch;
  std::optional<Background> background;
  Sandbox sandbox;
  std::uint64_t address_changes = 0;
  std::uint64_t address_check_failures = 0;
  bool looking = false;  // a check is under way
  std::size_t shards_undrained = 0;
  bool ready = false;
  bool draining = false;
};

void Server::State::create_shards() {
  const auto count = static_cast<unsigned>(shared.shards);
  Listeners listeners = open_listeners(config.listen, count, config.turn.behavior_discovery);
  listening = std::move(listeners.addresses);
  for (unsigned i = 0; i < count; ++i) {
    auto& shard = shards.emplace_back(std::make_unique<Shard>(
        served_options(), slice_of(ports, i, count),
        Shard::Common{.shared = shared,
                      .directory = directory,
                      .number = static_cast<turn::ShardNumber>(i),
                      .others = [this](auto number) -> Shard& { return *shards[number]; },
                      .poller = config.poller}));
    shard->use(stream_settings());
    const auto add = [&](auto& opened) {
      for (auto& [transport, socket] : opened) shard->add_listener(std::move(socket), transport);
    };
    add(listeners.shards[i].datagrams);
    add(listeners.shards[i].streams);
  }
}

Admin::Sources Server::State::admin_sources() {
  return {.collect = [this](Admin::Snapshots answer) { collect(std::move(answer)); },
          .ready = [this] { return ready; },
          .facts =
              [this] {
                ServerFacts facts{.version = YUELAO_VERSION,
                                  .certificate_expiry = {},
                                  .address_changes = address_changes,
                                  .address_check_failures = address_check_failures,
                                  .credentials = {},
                                  .sandbox = sandbox};
                if (credential_service) facts.credentials = credential_service->counters();
                if (tls) facts.certificate_expiry = tls->expiry;
                return facts;
              }};
}

// The last shard to answer hands over what all have said.
void Server::State::collect(Admin::Snapshots answer) {
  struct Collection {
    std::vector<ShardSnapshot> snapshots;
    std::atomic<std::size_t> missing;
    Admin::Snapshots answer;
  };
  auto collection = std::make_shared<Collection>(std::vector<ShardSnapshot>(shards.size()),
                                                 shards.size(), std::move(answer));
  for (std::size_t i = 0; i < shards.size(); ++i) {
    shards[i]->snapshot([collection, i](const ShardSnapshot& snapshot) {
      collection->snapshots[i] = snapshot;
      if (collection->missing.fetch_sub(1) == 1) {
        collection->answer(std::move(collection->snapshots));
      }
    });
  }
}

int Server::State::run() {
  background.emplace(io);
  for (const auto& shard : shards) {
    threads.emplace_back([&shard = *shard] { shard.run(); });
    threads.emplace_back([&shard = *shard] { shard.run_entrance(); });
  }
  watchdog.emplace(io, [this](std::function<void()> alive) {
    collect([alive = std::move(alive)](const auto&) { alive(); });
  });
  wait_for_signal();
  if (locate) watch_addresses();
  ready = true;
  systemd::ready();
  for (const auto& [transport, at] : listening) {
    log_info("listening", {{"transport", public_text(name(transport))},
                           {"address", public_text(at.to_string())}});
  }
  if (credential_service) {
    log_info("handing out credentials",
             {{"address", public_text(credential_service->endpoint().to_string())}});
  }
  log_info("ready", {{"shards", shards.size()}, {"poller", public_text(shards[0]->poller())}});
  io.run();
  end();
  log_info("stopped");
  return 0;
}

void Server::State::wait_for_signal() {
  signals.async_wait([this](Error error, int signal) {
    if (error) return;
    on_signal(signal);
    wait_for_signal();
  });
}

void Server::State::on_signal(int signal) {
  if (signal == SIGHUP) return on_reload();
  if (signal == SIGTERM && !draining) return drain();
  io.stop();
}

void Server::State::on_reload() {
  if (draining) return;
  systemd::reloading();
  background->run([this, read = reload]() -> Background::Outcome {
    return [this, fresh = read()]() mutable { take(std::move(fresh)); };
  });
}

void Server::State::take(std::expected<config::Config, std::string> fresh) {
  if (draining) return;
  auto outcome = apply(std::move(fresh));
  if (outcome) {
    log_info("configuration reloaded");
    if (!outcome->empty()) {
      log_warning("some changes wait for a restart", {{"keys", public_text(*outcome)}});
    }
  } else {
    log_error("configuration not reloaded, the old one stays",
              {{"reason", public_text(explained(std::move(outcome.error()), sandbox))}});
  }
  systemd::ready();
}

// The old configuration stays until all of the new one is known to be good. Answers the
// keys whose change has to wait for a restart, or why the new one was refused.
std::expected<std::string, std::string> Server::State::apply(
    std::expected<config::Config, std::string> fresh) {
  if (!fresh) return std::unexpected{std::move(fresh.error())};
  for (const auto& warning : fresh->warnings) {
    log_warning("configuration", {{"why", public_text(warning)}});
  }
  auto waiting = restart_keys(config, *fresh);
  keep_until_restart(config, *fresh);
  try {
    tls = load_tls(*fresh);
  } catch (const StartError& error) {
    return std::unexpected{error.what()};
  }
  auto addresses = std::exchange(fresh->turn.relay_addresses, config.turn.relay_addresses);
  auto own = std::exchange(fresh->turn.peers.own_addresses, config.turn.peers.own_addresses);
  config = *std::move(fresh);
  set_up_log(config.log);
  shared.quota.set_limits(config.turn.limits);
  shared.connections.set(connection_bounds(config));
  for (const auto& shard : shards) shard->reconfigure(served_options(), stream_settings());
  readdress(std::move(addresses), std::move(own));
  if (address_watch) address_watch->look_every(config.address_check);
  return waiting;
}

void Server::State::watch_addresses() {
  address_watch.emplace(io, [this](AddressWatch::Occasion occasion) { look(occasion); });
  address_watch->look_every(config.address_check);
}

void Server::State::look(AddressWatch::Occasion occasion) {
  // A check that takes longer than its interval is not asked for twice.
  if (draining || (looking && occasion == AddressWatch::Occasion::time)) return;
  looking = true;
  config::Config wanted;
  wanted.external_addresses = config.external_addresses;
  wanted.relay = config.relay;
  background->run(
      [this, find = locate, wanted = std::move(wanted), occasion]() -> Background::Outcome {
        return [this, location = find(wanted, occasion)]() mutable {
          looking = false;
          if (location) relocate(*std::move(location));
        };
      });
}

void Server::State::relocate(Location location) {
  if (draining) return;
  address_check_failures += location.failures;
  for (const auto& warning : location.warnings) {
    log_warning("addresses", {{"why", public_text(warning)}});
  }
  if (location.relay_addresses.empty()) return;
  readdress(std::move(location.relay_addresses), std::move(location.own_addresses));
}

// With the addresses of before that relays are still open on, which stay legal peers, and those
// that only behaviour discovery is served on.
turn::Options Server::State::served_options() const {
  auto options = config.turn;
  const auto in_use = directory.addresses();
  auto& own = options.peers.own_addresses;
  own.insert(own.end(), in_use.begin(), in_use.end());
  for (const auto& [advertised, bound] : options.behavior_discovery.addresses) {
    own.insert(own.end(), {advertised, bound});
  }
  return options;
}

// Relays that are open keep what they have.
void Server::State::readdress(std::vector<turn::RelayAddress> addresses,
                              std::vector<IpAddress> own) {
  const bool changed = config.turn.relay_addresses != addresses;
  const bool same_machine = config.turn.peers.own_addresses == own;
  if (!changed && same_machine && directory.settled()) return;
  config.turn.relay_addresses = std::move(addresses);
  config.turn.peers.own_addresses = std::move(own);
  directory.follow(config.turn.relay_addresses);
  for (const auto& shard : shards) shard->readdress(served_options(), directory);
  if (!changed) return;
  ++address_changes;
  log_info("addresses changed, new calls are told the new ones",
           {{"first", shown(config.turn.relay_addresses.front().advertised)}});
}

void Server::State::drain() {
  draining = true;
  ready = false;
  // Closing takes a moment after the last call has had its time.
  systemd::stopping(config.drain_timeout + std::chrono::seconds{15});
  log_info("draining", {{"seconds_at_most", config.drain_timeout.count()}});
  shards_undrained = shards.size();
  for (const auto& shard : shards) {
    shard->drain([this] { asio::post(io, [this] { on_shard_drained(); }); });
  }
  drain_deadline.expires_after(config.drain_timeout);
  drain_deadline.async_wait([this](Error error) {
    if (!error) io.stop();
  });
}

void Server::State::on_shard_drained() {
  if (--shards_undrained == 0) io.stop();
}

void Server::State::end() {
  ready = false;
  if (!threads.empty()) {
    for (const auto& shard : shards) shard->stop();
    for (auto& thread : threads) thread.join();
    threads.clear();
  }
}

Server::Server(const config::Config& config, Reload reload, Locate locate) {
  prepare_process();
  memory_reserve::set_aside();
  require_md5();
  state_ = std::make_unique<State>(config, std::move(reload), std::move(locate));
}

Server::~Server() = default;

const std::vector<Listening>& Server::listening() const { return state_->listening; }

int Server::run(Sandbox sandbox) {
  state_->sandbox = std::move(sandbox);
  return state_->run();
}

}  // namespace yuelao::server
