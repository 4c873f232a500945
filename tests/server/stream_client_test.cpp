// What waits for clients of TCP that do not read.

#include "server/stream_client.hpp"

#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "tests/server/tested_poller.hpp"

namespace yuelao::server::stream_client_test {
namespace {

using turn::SocketRef;

// A client of which the test has the other end.
struct End {
  End(Poller& poller, StreamBuffers& buffers) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    far = FileDescriptor{ends[0]};
    client = std::make_unique<StreamClient>(
        Arrival{.socket = FileDescriptor{ends[1]}, .tls = nullptr, .tuple = {}, .received = {}},
        SocketRef::stream(0, 1), poller, buffers);
    REQUIRE_FALSE(client->watch());
  }

  StreamClient::Queued relay(std::string_view text) {
    const auto queued = client->queue({.from = client->path().socket,
                                       .source = {},
                                       .to = {},
                                       .prefix = {},
                                       .payload = as_bytes(text)});
    REQUIRE(client->write());
    return queued;
  }
  void read_all() {
    std::array<char, 65536> text{};
    while (::recv(far.value(), text.data(), text.size(), 0) > 0) continue;
    REQUIRE(client->write());
  }

  FileDescriptor far;
  std::unique_ptr<StreamClient> client;
};

using Queued = StreamClient::Queued;

// Messages that are taken before the first is dropped.
int taken(End& end, std::string_view text) {
  int count = 0;
  while (count < 10'000 && end.relay(text) == Queued::queued) ++count;
  return count;
}

}  // namespace

TEST_CASE("what waits for all clients together is bounded, and who reads is not held back") {
  const std::string text(1000, 'x');
  test::TestedPoller poller;
  StreamBuffers roomy;
  End alone{*poller, roomy};
  const int by_itself = taken(alone, text);

  StreamBuffers narrow{10'000};
  End first{*poller, narrow};
  const int of_first = taken(first, text);
  // Its own limit would let it have more.
  CHECK(of_first < by_itself);
  End second{*poller, narrow};
  const int of_second = taken(second, text);
  CHECK(of_second < of_first);
  // One that has read all goes on, whatever waits for the other.
  second.read_all();
  CHECK(second.relay(text) == Queued::queued);
  CHECK(first.relay(text) == Queued::dropped);
  // And what waited for one that has gone counts no more.
  first.client.reset();
  CHECK(taken(second, text) > of_second);
}

}  // namespace yuelao::server::stream_client_test
