#include "server/admin.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <boost/asio/post.hpp>

#include "server/start_error.hpp"
#include "tests/server/metrics_sample.hpp"

namespace yuelao::server::admin_test {
namespace {

const Endpoint any_port = *Endpoint::parse("127.0.0.1:0");

// A blocking client's connection.
class Client {
 public:
  explicit Client(const Endpoint& server)
      : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(server.port);
    // Long enough for a loaded machine; reached only when the server is silent.
    const timeval patience{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view text) const {
    ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  // What the server sends until `end` is in it, or until it closes.
  std::string read_until(std::string_view end) const {
    std::string text;
    char part[4096];
    while (end.empty() || text.find(end) == std::string::npos) {
      const auto size = ::recv(socket_, part, sizeof part, 0);
      if (size <= 0) break;
      text.append(part, static_cast<std::size_t>(size));
    }
    return text;
  }
  std::string read_all() const { return read_until({}); }

 private:
  int socket_;
};

void answer_at_once(const Admin::Snapshots& done) { done(sample_shards()); }

// An admin listener with its thread.
class Running {
 public:
  explicit Running(std::function<void(Admin::Snapshots)> collect = answer_at_once)
      : admin_{std::make_unique<Admin>(
            io_, any_port,
            Admin::Sources{std::move(collect), [this] { return ready.load(); }, sample_facts})},
        thread_{[this] { io_.run(); }} {}
  ~Running() {  // NOLINT(bugprone-exception-escape): then the test ends anyway
    boost::asio::post(io_, [this] { admin_.reset(); });
    thread_.join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Endpoint endpoint() const { return admin_->endpoint(); }
  std::string get(std::string_view path, std::string_view method = "GET") const {
    const Client client{endpoint()};
    client.send(std::string{method} + " " + std::string{path} +
                " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    return client.read_all();
  }

  std::atomic<bool> ready = true;

 private:
  boost::asio::io_context io_;
  std::unique_ptr<Admin> admin_;
  std::thread thread_;
};

std::string status_of(const std::string& response) { return response.substr(0, 12); }
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

TEST_CASE("/metrics gives the snapshots in Prometheus' format") {
  const Running server;
  const auto response = server.get("/metrics?collect=all");
  CHECK(status_of(response) == "HTTP/1.1 200");
  CHECK(contains(response, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(contains(response, "\nyuelao_sessions "));
  CHECK(contains(response, "\nyuelao_build_info{version=\"1.2.3\"} 1"));
}

TEST_CASE("/healthz is 200 when the shards answer, from whatever thread they do") {
  std::thread shard;
  {
    const Running server{[&](Admin::Snapshots done) {
      shard = std::thread{[done = std::move(done)] { done(sample_shards()); }};
    }};
    CHECK(status_of(server.get("/healthz")) == "HTTP/1.1 200");
    shard.join();
  }
}

TEST_CASE(
    "a shard that does not answer makes /healthz and /metrics 503, and a late answer is harmless") {
  Admin::Snapshots late;
  const Running server{[&](Admin::Snapshots done) { late = std::move(done); }};
  CHECK(status_of(server.get("/healthz")) == "HTTP/1.1 503");
  late(sample_shards());
  CHECK(status_of(server.get("/metrics")) == "HTTP/1.1 503");
}

TEST_CASE("an answer that comes when the listener is gone is harmless") {
  Admin::Snapshots late;
  {
    const Running server{[&](Admin::Snapshots done) { late = std::move(done); }};
    CHECK(status_of(server.get("/healthz")) == "HTTP/1.1 503");
  }
  late(sample_shards());
}

TEST_CASE("/readyz follows the server's readiness") {
  Running server;
  CHECK(status_of(server.get("/readyz")) == "HTTP/1.1 200");
  server.ready = false;
  CHECK(status_of(server.get("/readyz")) == "HTTP/1.1 503");
}

TEST_CASE("anything else is 404, and anything but GET and HEAD 405") {
  const Running server;
  for (const auto path : {"/index.html", "/metrics/", "/healthz.html", "*", "http://a/metrics"}) {
    CAPTURE(path);
    CHECK(status_of(server.get(path)) == "HTTP/1.1 404");
  }
  const auto response = server.get("/metrics", "DELETE");
  CHECK(status_of(response) == "HTTP/1.1 405");
  CHECK(contains(response, "\r\nAllow: GET, HEAD\r\n"));
}

TEST_CASE("/ gives the connection check, which may load and run nothing but itself") {
  const Running server;
  const auto response = server.get("/?from=a-bookmark");
  CHECK(status_of(response) == "HTTP/1.1 200");
  CHECK(contains(response, "\r\nContent-Type: text/html; charset=utf-8\r\n"));
  CHECK(contains(response, "\r\nContent-Security-Policy: default-src 'none'; script-src 'sha256-"));
  CHECK(contains(response, "; frame-ancestors 'none'\r\n"));
  CHECK(contains(response, "\r\nX-Content-Type-Options: nosniff\r\n"));
  CHECK(contains(response, "\r\nCache-Control: no-store\r\n"));
  CHECK(body_of(response).starts_with("<!doctype html>\n"));
  CHECK(body_of(response).ends_with("</html>\n"));

  const auto head = server.get("/", "HEAD");
  CHECK(contains(head, "\r\nContent-Length: " + std::to_string(body_of(response).size()) + "\r\n"));
  CHECK(body_of(head).empty());
}

TEST_CASE("HEAD has GET's fields and no content") {  // RFC 9110 §9.3.2
  const Running server;
  const auto head = server.get("/readyz", "HEAD");
  CHECK(status_of(head) == "HTTP/1.1 200");
  CHECK(contains(head, "\r\nContent-Length: 6\r\n"));
  CHECK(body_of(head).empty());
  CHECK(body_of(server.get("/readyz")) == "ready\n");
}

TEST_CASE("a connection carries one request after another") {
  const Running server;
  const Client client{server.endpoint()};
  for (int i = 0; i < 3; ++i) {
    client.send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(status_of(client.read_until("ready\n")) == "HTTP/1.1 200");
  }
  client.send("GET /readyz HTTP/1.0\r\n\r\n");
  CHECK(contains(client.read_all(), "200"));
}

TEST_CASE("what is not a small HTTP request is refused and the connection closed") {
  const Running server;
  const std::string start = "GET /metrics HTTP/1.1\r\nHost: a\r\n";
  struct Row {
    std::string_view what;
    std::string request;
    std::string status;
  };
  const Row rows[] = {
      {"not HTTP", "\x16\x03\x01\x02\x01\r\n\r\n", "HTTP/1.1 400"},
      {"a body", start + "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 413"},
      {"a chunked body", start + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
       "HTTP/1.1 411"},
      {"chunks that Beast's reader asserts on",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nkey=k1\r\n0\r\n&\r\n",
       "HTTP/1.1 411"},
      {"a long field", start + "X: " + std::string(9000, 'x') + "\r\n\r\n", "HTTP/1.1 431"},
      {"a long target", "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n", "HTTP/1.1 431"},
  };
  for (const auto& [what, request, status] : rows) {
    CAPTURE(what);
    const Client client{server.endpoint()};
    client.send(request);
    CHECK(status_of(client.read_all()) == status);
  }
  CHECK(status_of(server.get("/healthz")) == "HTTP/1.1 200");
}

TEST_CASE("connections are bounded, and closing one makes room") {
  const Running server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<Client>(server.endpoint()));
    clients.back()->send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(contains(clients.back()->read_until("ready\n"), "200"));
  }
  CHECK(server.get("/readyz").empty());
  clients.front()->send("GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(contains(clients.front()->read_all(), "200"));
  CHECK(status_of(server.get("/readyz")) == "HTTP/1.1 200");
}

TEST_CASE("closing the listener closes its connections") {
  auto server = std::make_unique<Running>();
  const Client client{server->endpoint()};
  client.send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_until("ready\n");
  server.reset();
  CHECK(client.read_all().empty());
}

TEST_CASE("a port that is taken is one sentence with the address and the setting") {
  const Running server;
  boost::asio::io_context io;
  std::string reason;
  try {
    const Admin second{io, server.endpoint(), {}};
  } catch (const StartError& error) {
    reason = error.what();
  }
  CHECK(contains(reason, server.endpoint().to_string()));
  CHECK(contains(reason, "Address already in use"));
  CHECK(contains(reason, "`metrics`"));
}

}  // namespace
}  // namespace yuelao::server::admin_test
