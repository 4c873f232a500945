#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "protocol/bytes.hpp"
#include "tests/bench/plan.hpp"
#include "tests/bench/udp_socket.hpp"

namespace yuelao::bench {

// A client's connection to the server, which carries whole messages.
class ClientLink {
 public:
  using Taker = std::function<void(Bytes message)>;

  ClientLink() = default;
  ClientLink(const ClientLink&) = delete;
  ClientLink& operator=(const ClientLink&) = delete;
  virtual ~ClientLink() = default;

  virtual int descriptor() const = 0;
  // A row of messages of `message_bytes` each: one crossing for all.
  virtual void send(Bytes messages, std::size_t message_bytes) = 0;
  // Gives `take` what has arrived, a message at a time. `inbox` is used meanwhile.
  virtual void receive(Inbox& inbox, const Taker& take) = 0;
};

// Connects, over TLS with whatever certificate the server has. Throws std::runtime_error
// where that does not work.
std::unique_ptr<ClientLink> open_link(const Plan& plan);

}  // namespace yuelao::bench
