#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "protocol/endpoint.hpp"
#include "server/http_exchange.hpp"

namespace yuelao::server {

// What to answer. Runs on the listener's thread, may wait, and may outlive the listener:
// what it needs, it holds. The listener adds what belongs to the connection, and leaves
// the content of an answer to HEAD away.
using HttpHandler = std::function<boost::asio::awaitable<HttpResponse>(HttpRequest request)>;

struct HttpOptions {
  // For the sentence when the port cannot be had: "for metrics", and the key to change.
  std::string_view purpose;
  std::string_view setting;
  // More are closed at once: descriptors belong to calls.
  std::size_t connections = 16;
  // Of a request. 0 refuses every one that brings content.
  std::size_t body_bytes = 0;
  // For a request to arrive, or an answer to leave, once it has begun.
  std::chrono::seconds transfer{10};
  // Between requests of one connection.
  std::chrono::seconds idle{75};
};

// A small HTTP/1.1 server: every size and every wait is bounded, so that what a client
// sends or does not send costs at most a connection for a while. Lives on the thread that
// runs `io`, which must be one thread.
class HttpListener {
 public:
  // Throws StartError when `at` cannot be listened on. A port of 0 takes any free one.
  HttpListener(boost::asio::io_context& io, const Endpoint& at, HttpOptions options,
               HttpHandler handler);
  // Closes listener and connections. Belongs on the thread that runs `io`, or after it
  // has ended; what is still in flight ends when `io` runs on or is destroyed.
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  Endpoint endpoint() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace yuelao::server
