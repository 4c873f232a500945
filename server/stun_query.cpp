#include "server/stun_query.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>

#include "protocol/stun/attributes.hpp"
#include "protocol/stun/message.hpp"
#include "protocol/stun/message_writer.hpp"
#include "server/file_descriptor.hpp"
#include "server/random.hpp"
#include "server/socket_address.hpp"

namespace yuelao::server {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// RFC 8489 §6.2.1: an RTO of 500 ms that doubles. Its seven transmissions take 39.5 s;
// nobody waits that long for a server to start, and a check comes again.
constexpr std::array<std::chrono::milliseconds, 3> waits{500ms, 1000ms, 1000ms};

// Connected, so that the kernel passes on only what comes from the server.
FileDescriptor open_socket(const Endpoint& server, const IpAddress& from) {
  const SocketAddress local{Endpoint{from, 0}};
  const SocketAddress remote{server};
  FileDescriptor socket{
      ::socket(kernel_family(from), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const bool done = socket.open() && ::bind(socket.value(), local.data(), local.size()) == 0 &&
                    ::connect(socket.value(), remote.data(), remote.size()) == 0;
  return done ? std::move(socket) : FileDescriptor{};
}

// Empty: not the answer. Of an answer that is of no use the inner value is empty.
std::optional<std::optional<IpAddress>> read_answer(Bytes datagram, const stun::TransactionId& id,
                                                    Family family) {
  const auto answer = stun::Message::parse(datagram);
  if (!answer || answer->transaction_id() != id || answer->method() != stun::Method::binding) {
    return std::nullopt;
  }
  if (answer->message_class() == stun::Class::error) return std::optional<IpAddress>{};
  if (answer->message_class() != stun::Class::success) return std::nullopt;
  const auto mapped = answer->get(stun::attribute::xor_mapped_address);
  if (!mapped || mapped->address.family() != family) return std::optional<IpAddress>{};
  return std::optional{mapped->address};
}

bool readable_before(int socket, steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  return left > 0ms && ::poll(&waiting, 1, static_cast<int>(left.count())) == 1;
}

}  // namespace

std::optional<IpAddress> ask_stun(const Endpoint& server, const IpAddress& from) {
  const auto socket = open_socket(server, from);
  if (!socket.open()) return std::nullopt;
  std::array<std::byte, 12> random{};
  SystemRandom{}.fill(random);
  const auto id = stun::TransactionId::from_random(random);
  std::array<std::byte, stun::header_bytes> buffer{};
  const auto request =
      stun::MessageWriter{buffer, stun::Method::binding, stun::Class::request, id}.finish();
  for (const auto wait : waits) {
    // A refusal (ICMP) of the one before, or no route: it may be better the next time.
    ::send(socket.value(), request.data(), request.size(), 0);
    const auto deadline = steady_clock::now() + wait;
    while (readable_before(socket.value(), deadline)) {
      std::array<std::byte, 1500> datagram{};
      const auto size = ::recv(socket.value(), datagram.data(), datagram.size(), 0);
      if (size <= 0) continue;
      const auto answer =
          read_answer(Bytes{datagram}.first(static_cast<std::size_t>(size)), id, from.family());
      if (answer) return *answer;
    }
  }
  return std::nullopt;
}

}  // namespace yuelao::server
