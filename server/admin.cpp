#include "server/admin.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/verb.hpp>

#include "server/as_result.hpp"
#include "server/http_listener.hpp"
#include "server/process_metrics.hpp"
#include "server/web_page.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace std::chrono_literals;

// A shard's round takes milliseconds; one that needs longer than this is stuck.
constexpr auto answer_bound = 2s;

// Prometheus, a load balancer and a person need no more connections; idle ones outlast
// the scrape intervals in use.
constexpr HttpOptions bounds{.purpose = "for metrics", .setting = "metrics", .connections = 16};

// The way of an answer back to the listener's thread. A shard may answer after the
// listener is gone, and with it the io_context.
struct WayBack {
  std::mutex mutex;
  asio::io_context* io;  // null once the listener is gone
};

// One question to all shards, owned by the request that waits for it.
struct Answer {
  explicit Answer(asio::io_context& io) : deadline{io, answer_bound} {}

  asio::steady_timer deadline;
  std::optional<std::vector<ShardSnapshot>> shards;
};

// Credentials are pasted into the page: nobody may frame it, and nothing but its own script
// and style runs there.
HttpResponse page() {
  auto response =
      http_response(http::status::ok, std::string{web_page}, "text/html; charset=utf-8");
  response.set("Content-Security-Policy", web_page_policy);
  response.set("Cross-Origin-Opener-Policy", "same-origin");
  response.set("Referrer-Policy", "no-referrer");
  response.set("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

// Held by every request in flight, too.
struct Admin::Pages {
  Pages(asio::io_context& context, Sources from) : io{context}, sources{std::move(from)} {
    way_back->io = &io;
    read_process_metrics();  // which /proc has to be open for
  }

  asio::awaitable<HttpResponse> answer(http::verb method, std::string target);
  asio::awaitable<std::optional<std::vector<ShardSnapshot>>> ask_shards();

  asio::io_context& io;
  Sources sources;
  std::shared_ptr<WayBack> way_back = std::make_shared<WayBack>();
};

asio::awaitable<HttpResponse> Admin::Pages::answer(http::verb method, std::string target) {
  if (method != http::verb::get && method != http::verb::head) {
    auto response = http_response(http::status::method_not_allowed, "GET or HEAD\n");
    response.set(http::field::allow, "GET, HEAD");
    co_return response;
  }
  const auto path = target.substr(0, target.find('?'));
  if (path == "/") co_return page();
  if (path == "/readyz") {
    co_return sources.ready() ? http_response(http::status::ok, "ready\n")
                              : http_response(http::status::service_unavailable, "not ready\n");
  }
  if (path != "/metrics" && path != "/healthz") {
    co_return http_response(http::status::not_found, "try /, /metrics, /healthz or /readyz\n");
  }
  const auto shards = co_await ask_shards();
  if (!shards) {
    co_return http_response(http::status::service_unavailable, "a shard does not answer\n");
  }
  if (path == "/healthz") co_return http_response(http::status::ok, "ok\n");
  co_return http_response(http::status::ok, metrics_text(*shards, sources.facts()),
                          "text/plain; version=0.0.4; charset=utf-8");
}

asio::awaitable<std::optional<std::vector<ShardSnapshot>>> Admin::Pages::ask_shards() {
  const auto answer = std::make_shared<Answer>(io);
  sources.collect(
      [way = way_back, weak = std::weak_ptr{answer}](std::vector<ShardSnapshot> shards) {
        const std::lock_guard lock{way->mutex};
        if (way->io == nullptr) return;
        asio::post(*way->io, [weak, shards = std::move(shards)]() mutable {
          const auto waiting = weak.lock();
          if (!waiting) return;
          waiting->shards = std::move(shards);
          waiting->deadline.cancel();
        });
      });
  co_await answer->deadline.async_wait(as_result);
  co_return std::move(answer->shards);
}

Admin::Admin(asio::io_context& io, const Endpoint& at, Sources sources)
    : pages_{std::make_shared<Pages>(io, std::move(sources))} {
  auto handler = [](std::shared_ptr<Pages> pages,
                    HttpRequest request) -> asio::awaitable<HttpResponse> {
    co_return co_await pages->answer(request.message.method(),
                                     std::string{request.message.target()});
  };
  listener_ = std::make_unique<HttpListener>(io, at, bounds,
                                             [pages = pages_, handler](HttpRequest request) {
                                               return handler(pages, std::move(request));
                                             });
}

Admin::~Admin() {
  const std::lock_guard lock{pages_->way_back->mutex};
  pages_->way_back->io = nullptr;
}

Endpoint Admin::endpoint() const { return listener_->endpoint(); }

}  // namespace yuelao::server
