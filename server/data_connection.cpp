#include "server/data_connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace yuelao::server {
namespace {

using namespace std::chrono_literals;

constexpr auto half_closed_time = 60s;

// Who vanished without a word is noticed in two minutes. No TCP_USER_TIMEOUT: a reader may stop
// for as long as its allocation lives.
void keep_alive(int socket) {
  const auto set = [socket](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

StreamEnd::Parts client_parts(Arrival& client) {
  keep_alive(client.socket.value());
  return {std::move(client.socket), std::move(client.tls), std::move(client.unwritten)};
}

StreamEnd::Parts peer_parts(FileDescriptor& peer) {
  keep_alive(peer.value());
  return {std::move(peer), nullptr, {}};
}

}  // namespace

DataConnection::DataConnection(turn::ConnectionId id, Arrival client, FileDescriptor peer,
                               Poller& poller, StreamBuffers& buffers)
    : place_{std::move(client.place)},
      client_{{client_parts(client), turn::SocketRef::client_data(id), poller, buffers},
              &turn::Counters::tcp_client_to_peer_bytes},
      peer_{{peer_parts(peer), turn::SocketRef::peer(id), poller, buffers},
            &turn::Counters::tcp_peer_to_client_bytes},
      first_{std::move(client.received)} {}

bool DataConnection::start(turn::Counters& counters) {
  counters.*client_.octets += first_.size();
  client_.carried += first_.size();
  const auto first = std::exchange(first_, {});
  if (!client_.end.flush() || (!first.empty() && !peer_.end.send(first))) return false;
  return resume(client_, peer_) && resume(peer_, client_);
}

bool DataConnection::visit(const Poller::Event& event, MutableBytes room, Now now,
                           turn::Counters& counters) {
  const bool of_client = event.ref.kind == turn::SocketRef::Kind::client_data;
  Side& side = of_client ? client_ : peer_;
  Side& other = of_client ? peer_ : client_;
  // An error of a side that is not read is found by writing to it.
  bool sound = true;
  if (event.writable || !side.end.reading()) {
    sound = side.end.flush() && resume(other, side);
  }
  if (sound && event.readable && side.end.reading()) sound = pass(side, other, room, counters);
  if (!sound) {
    // What was sent is not all there was.
    side.end.cut_off();
    other.end.cut_off();
    return false;
  }
  if (client_.ended || peer_.ended) deadline_ = now.steady + half_closed_time;
  return !over();
}

bool DataConnection::pass(Side& from, Side& to, MutableBytes room, turn::Counters& counters) {
  const auto came = from.end.read(room);
  if (came.end == StreamEnd::End::broken) return false;
  counters.*from.octets += came.size;
  from.carried += came.size;
  if (came.size > 0 && !to.end.send(room.first(came.size))) return false;
  if (came.end) {
    from.ended = true;
    if (!to.end.end_writing()) return false;
  }
  return resume(from, to);
}

// Reads where what was read can be written.
bool DataConnection::resume(Side& from, const Side& to) {
  return from.end.read_while(!from.ended && !from.resting && to.end.waiting() == 0);
}

std::size_t DataConnection::take_carried(turn::Way way) {
  return std::exchange(from(way).carried, 0);
}

// Should the poller refuse, the next visit finds out.
void DataConnection::rest(turn::Way way) {
  from(way).resting = true;
  std::ignore = resume(from(way), to(way));
}

bool DataConnection::wake(turn::Way way) {
  from(way).resting = false;
  return resume(from(way), to(way));
}

bool DataConnection::over() const {
  return client_.ended && peer_.ended && client_.end.waiting() == 0 && peer_.end.waiting() == 0;
}

}  // namespace yuelao::server
