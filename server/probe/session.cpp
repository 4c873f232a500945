#include "server/probe/session.hpp"

#include <algorithm>
#include <cerrno>

#include "server/probe/waiting.hpp"

namespace yuelao::probe {
namespace {

using namespace std::chrono_literals;

// RFC 8489 §6.2.1 goes on for 39.5 s, which nobody waits for at a prompt: four
// transmissions within 5.5 s tell loss from silence as well.
constexpr client::Schedule schedule{
    .first_timeout = 500ms, .transmissions = 4, .last_timeout_factor = 4};

Answer answer_of(client::Outcome outcome) {
  Answer answer;
  answer.round_trip = std::chrono::floor<std::chrono::microseconds>(outcome.round_trip);
  answer.transmissions = outcome.transmissions;
  if (outcome.result) {
    answer.result = *std::move(outcome.result);
  } else {
    answer.result = std::unexpected{Trouble{std::move(outcome.result).error(), 0}};
  }
  return answer;
}

}  // namespace

Session::Session(std::unique_ptr<Link> link, std::optional<client::Credentials> credentials,
                 Random& random)
    : link_{std::move(link)}, client_{link_->carrier(), std::move(credentials), schedule, random} {}

Answer Session::broken(int error) {
  error_ = error;
  Answer answer;
  answer.result = std::unexpected{Trouble{{}, error}};
  return answer;
}

Answer Session::ask(const client::Request& request, SteadyTime deadline) {
  if (error_ != 0) return broken(error_);
  client_.start(request, steady_now());
  while (true) {
    if (auto outcome = client_.advance(steady_now())) return answer_of(*std::move(outcome));
    const auto transmission = client_.take_transmission();
    if (!transmission.empty()) link_->send(transmission, deadline);
    const auto message = link_->receive();
    if (!message.empty()) {
      auto event = client_.on_message(message, steady_now());
      if (auto* outcome = std::get_if<client::Outcome>(&event)) {
        return answer_of(std::move(*outcome));
      }
      continue;
    }
    if (link_->error() != 0) return broken(link_->error());
    if (steady_now() >= deadline) return broken(ETIMEDOUT);
    wait_for({link_->descriptor()}, Wish::read,
             std::min(deadline, client_.deadline().value_or(deadline)));
  }
}

}  // namespace yuelao::probe
