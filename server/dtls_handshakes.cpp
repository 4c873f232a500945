#include "server/dtls_handshakes.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// From the cookie to the last flight, as for a connection at the entrance.
constexpr auto handshake_time = 10s;
// Datagrams on their way to the entrance's thread. A handshake has four or five.
constexpr std::size_t waiting_limit = 1024;

}  // namespace

struct DtlsHandshakes::Handshake {
  std::unique_ptr<DtlsSession> session;
  asio::steady_timer timer;
  asio::steady_timer::time_point deadline;
};

DtlsHandshakes::DtlsHandshakes(asio::io_context& io, EntranceMeters& meters, Told told)
    : io_{io}, meters_{meters}, told_{std::move(told)} {}

DtlsHandshakes::~DtlsHandshakes() = default;

void DtlsHandshakes::begin(turn::SocketRef ref, std::unique_ptr<DtlsSession> session) {
  asio::post(io_, [this, ref, session = std::move(session)]() mutable {
    asio::steady_timer timer{io_};
    const auto deadline = std::chrono::steady_clock::now() + handshake_time;
    under_way_[ref] = std::make_unique<Handshake>(std::move(session), std::move(timer), deadline);
    go_on(ref, {});
  });
}

bool DtlsHandshakes::give(turn::SocketRef ref, Bytes datagram) {
  if (waiting_.fetch_add(1) >= waiting_limit) {
    waiting_.fetch_sub(1);
    return false;
  }
  asio::post(io_, [this, ref, copy = std::vector<std::byte>(datagram.begin(), datagram.end())] {
    waiting_.fetch_sub(1);
    go_on(ref, copy);
  });
  return true;
}

void DtlsHandshakes::abandon(turn::SocketRef ref) {
  asio::post(io_, [this, ref] { under_way_.erase(ref); });
}

void DtlsHandshakes::close_all() { under_way_.clear(); }

// Where no datagram has come it is time: for the first flight, or for one once more.
void DtlsHandshakes::go_on(turn::SocketRef ref, Bytes datagram) {
  const auto found = under_way_.find(ref);
  if (found == under_way_.end()) return;
  Handshake& handshake = *found->second;
  Datagrams flight;
  handshake.session->give(datagram);
  const auto state = handshake.session->handshake(flight);
  handshake.session->give({});
  const bool late = std::chrono::steady_clock::now() >= handshake.deadline;
  if (state == DtlsSession::Handshake::unfinished && !late) {
    wait(ref, handshake);
    if (flight.count() > 0) told_({.ref = ref, .flight = std::move(flight), .session = {}});
    return;
  }
  end(ref, std::move(flight), state);
}

void DtlsHandshakes::wait(turn::SocketRef ref, Handshake& handshake) {
  auto until = handshake.deadline;
  if (const auto left = handshake.session->retransmits_in()) {
    until = std::min(until, std::chrono::steady_clock::now() + *left);
  }
  handshake.timer.expires_at(until);
  handshake.timer.async_wait([this, ref](boost::system::error_code error) {
    if (!error) go_on(ref, {});
  });
}

void DtlsHandshakes::end(turn::SocketRef ref, Datagrams flight, DtlsSession::Handshake how) {
  const bool done = how == DtlsSession::Handshake::done;
  ++(done ? meters_.dtls_handshakes_succeeded : meters_.dtls_handshakes_failed);
  const auto ended = under_way_.extract(ref);
  News news{.ref = ref, .flight = std::move(flight), .session = {}, .failed = !done};
  if (done) news.session = std::move(ended.mapped()->session);
  told_(std::move(news));
}

}  // namespace yuelao::server
