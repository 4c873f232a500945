#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "config/config.hpp"
#include "server/http_listener.hpp"
#include "server/metrics.hpp"
#include "server/rate_limit.hpp"

namespace yuelao::server {

// Answers requests for TURN REST credentials, each from the configuration that holds at
// that moment. For one thread.
//
//   /turn/credentials   draft-uberti-behave-turn-rest-00, as spreed-signaling has it
//   /turn/ice-servers   an RTCConfiguration: {"iceServers": [...]}
//
// Errors: 400 (a parameter is missing or unusable), 403 (not one of the keys), 404, 405,
// 429 (too many requests of this client), 503 (there is no secret to make one with).
class CredentialAnswers {
 public:
  struct Now {
    std::chrono::steady_clock::time_point steady;
    std::chrono::sys_seconds wall;
  };

  // `config` has its addresses resolved and outlives this.
  explicit CredentialAnswers(const config::Config& config) : config_{config} {}

  HttpResponse answer(const HttpRequest& request, Now now);
  const CredentialCounters& counters() const { return counters_; }

 private:
  HttpResponse decide(const HttpRequest& request, Now now);
  HttpResponse count(CredentialOutcome outcome, HttpResponse response);
  bool knows(const Secret& key) const;

  const config::Config& config_;
  RateLimit limit_;
  CredentialCounters counters_{};
};

// The same on a listener of its own. Lives on the thread that runs `io`, which must be one
// thread, and no longer than `config`.
class CredentialService {
 public:
  // Throws StartError when `config.credentials.listen`, which must be set, cannot be had.
  CredentialService(boost::asio::io_context& io, const config::Config& config);

  Endpoint endpoint() const { return listener_.endpoint(); }
  const CredentialCounters& counters() const { return answers_->counters(); }

 private:
  std::shared_ptr<CredentialAnswers> answers_;
  HttpListener listener_;
};

}  // namespace yuelao::server
