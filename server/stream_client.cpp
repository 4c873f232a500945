#include "server/stream_client.hpp"

#include <algorithm>
#include <utility>

namespace yuelao::server {
namespace {

void append(std::vector<std::byte>& queue, Bytes bytes) {
  queue.insert(queue.end(), bytes.begin(), bytes.end());
}

StreamEnd::Parts parts_of(Arrival& arrival) {
  return {std::move(arrival.socket), std::move(arrival.tls), std::move(arrival.unwritten)};
}

}  // namespace

StreamClient::StreamClient(Arrival arrival, turn::SocketRef ref, Poller& poller,
                           StreamBuffers& buffers)
    : buffers_{buffers},
      end_{parts_of(arrival), ref, poller, buffers},
      path_{ref, arrival.tuple},
      place_{std::move(arrival.place)} {}

StreamClient::~StreamClient() { buffers_.give_back(kept_); }

std::error_code StreamClient::watch() { return end_.watch(); }

std::optional<Bytes> StreamClient::receive(MutableBytes room) {
  const std::size_t before = kept_.size();
  std::ranges::copy(kept_, room.begin());
  buffers_.give_back(kept_);
  const auto fresh = room.subspan(before);
  const auto came = end_.read(fresh);
  // What came before the end still counts; the next read finds the end.
  if (came.end && came.size == 0) return std::nullopt;
  return Bytes{room.first(before + came.size)};
}

void StreamClient::keep(Bytes rest) {
  if (rest.empty()) return;
  kept_ = buffers_.take();
  append(kept_, rest);
}

StreamClient::Queued StreamClient::queue(const turn::Send& send) {
  const std::size_t waiting = end_.waiting();
  const std::size_t size = send.prefix.size() + send.payload.size() + send.padding;
  // Answers are composed whole; only relayed data has a payload.
  const bool relayed = !send.payload.empty();
  const bool too_much = waiting + size > relayed_limit || (end_.lags() && buffers_.full());
  if (relayed && too_much) return Queued::dropped;
  if (waiting + size > queue_limit) return Queued::overflowed;
  auto& queue = end_.queue();
  append(queue, send.prefix);
  append(queue, send.payload);
  queue.resize(queue.size() + send.padding);
  return Queued::queued;
}

Arrival StreamClient::depart() {
  auto [socket, tls, unwritten] = end_.depart();
  return {std::move(socket),        std::move(tls),       path_.tuple,
          std::exchange(kept_, {}), std::move(unwritten), std::move(place_)};
}

}  // namespace yuelao::server
