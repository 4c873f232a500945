#include "server/entrance.hpp"

#include <utility>

#include <boost/asio/post.hpp>

#include "server/log.hpp"
#include "server/memory_reserve.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// From accepting a connection to knowing whose it is, TLS handshake included.
constexpr auto arrival_time = 10s;
// A web server that is down would fill the log with one line a visitor.
constexpr auto between_complaints = 60s;
constexpr auto clock_interval = 1s;

SteadyTime now() { return std::chrono::steady_clock::now(); }

// Takes `one` out of `all`; its place is filled by the last, as nobody asks for an order.
template <class T>
std::shared_ptr<T> take(std::vector<std::shared_ptr<T>>& all, const T& one) {
  for (auto& held : all) {
    if (held.get() != &one) continue;
    auto taken = std::exchange(held, all.back());
    all.pop_back();
    return taken;
  }
  return nullptr;
}

// Closes those whose time is up, and says so.
template <class T, class Closed>
void close_some(std::vector<std::shared_ptr<T>>& all, SteadyTime time, Closed closed) {
  std::erase_if(all, [&](const auto& one) {
    if (time < one->deadline) return false;
    one->close();
    closed(*one);
    return true;
  });
}

}  // namespace

Entrance::Entrance(ConnectionLimit& connections, Arrived arrived, DtlsHandshakes::Told told)
    : connections_{connections},
      arrived_{std::move(arrived)},
      handshakes_{io_, meters_, std::move(told)} {}

void Entrance::add_listener(ListeningSocket socket, Transport transport) {
  listeners_.push_back(std::make_unique<StreamListener>(
      io_, std::move(socket), meters_, [this, transport](asio::ip::tcp::socket accepted) {
        accept(std::move(accepted), transport);
      }));
}

void Entrance::run() {
  for (const auto& listener : listeners_) listener->start();
  watch_the_clock();
  io_.run();
}

void Entrance::use(StreamSettings settings) {
  asio::post(io_, [this, settings = std::move(settings)]() mutable {
    // A new certificate: its clients are to see it.
    if (settings_->tls && settings_->tls != settings.tls) settings_->tls->tickets.renew();
    settings_ = std::make_shared<const StreamSettings>(std::move(settings));
  });
}

void Entrance::stop_listening() {
  asio::post(io_, [this] {
    for (const auto& listener : listeners_) listener->close();
  });
}

void Entrance::stop() {
  asio::post(io_, [this] {
    close_overdue(SteadyTime::max());
    handshakes_.close_all();
    io_.stop();
  });
}

void Entrance::meters(std::function<void(const EntranceMeters&)> answer) {
  asio::post(io_, [this, answer = std::move(answer)] {
    meters_.connections_open = doors_.size() + tunnels_.size();
    answer(meters_);
  });
}

void Entrance::accept(Connection::Socket socket, Transport listener) {
  const auto tuple = ends_of(socket);
  if (!tuple) return;
  const bool tls_missing = listener == Transport::tls && !settings_->tls;
  auto place = tls_missing ? ConnectionLimit::Place{} : connections_.admit(tuple->client.address);
  if (!place) {
    ++meters_.connections_refused;
    return;
  }
  ++meters_.connections_accepted;
  const auto prefix = place.prefix();
  const auto door = std::make_shared<FrontDoor>(
      FrontDoor::Visitor{std::move(socket), listener, *tuple, std::move(place)}, settings_, meters_,
      [this](FrontDoor& decided, FrontDoor::Outcome outcome) {
        on_decided(decided, std::move(outcome));
      });
  door->deadline = now() + arrival_time;
  doors_.push_back(door);
  if (const auto crowded_out = arrivals_.add(door.get(), prefix)) {
    ++meters_.connections_crowded_out;
    take_door(**crowded_out)->close();
  }
  door->open();
}

std::shared_ptr<FrontDoor> Entrance::take_door(const FrontDoor& door) {
  arrivals_.remove(&door);
  return take(doors_, door);
}

void Entrance::on_decided(FrontDoor& door, FrontDoor::Outcome outcome) {
  const auto taken = take_door(door);
  if (auto* const arrival = std::get_if<Arrival>(&outcome)) return arrived_(std::move(*arrival));
  if (auto* const visit = std::get_if<FrontDoor::WebVisit>(&outcome)) {
    return on_visit(std::move(*visit));
  }
  taken->close();
}

void Entrance::on_visit(FrontDoor::WebVisit visit) {
  ++(visit.client->encrypted() ? meters_.web_decrypted : meters_.web_passed);
  auto& tunnel = tunnels_.emplace_back(std::make_shared<Tunnel>(
      io_, std::move(visit),
      [this](Tunnel& ended, Tunnel::Ending ending) { on_tunnel_ended(ended, ending); }));
  tunnel->start();
}

void Entrance::on_tunnel_ended(Tunnel& tunnel, Tunnel::Ending ending) {
  const auto taken = take(tunnels_, tunnel);
  taken->close();
  if (ending == Tunnel::Ending::unreachable) count_unreachable();
}

void Entrance::count_unreachable() {
  ++meters_.web_unreachable;
  if (now() < complained_ + between_complaints) return;
  complained_ = now();
  log_warning("the web server that shares our port does not answer: see `web_server`");
}

void Entrance::watch_the_clock() {
  clock_.expires_after(clock_interval);
  clock_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    close_overdue(now());
    memory_reserve::look_after();
    if (settings_->tls) settings_->tls->tickets.advance(now());
    watch_the_clock();
  });
}

void Entrance::close_overdue(SteadyTime time) {
  close_some(doors_, time, [this](const FrontDoor& door) { arrivals_.remove(&door); });
  close_some(tunnels_, time, [](const Tunnel&) {});
}

}  // namespace yuelao::server
