#pragma once

#include <expected>
#include <memory>
#include <optional>

#include "protocol/client/turn_client.hpp"
#include "protocol/random.hpp"
#include "server/probe/link.hpp"

namespace yuelao::probe {

// Why a request came to nothing.
struct Trouble {
  client::Failure failure;
  int error = 0;  // of the link; `failure` counts where it is 0
};

struct Answer {
  std::expected<client::Granted, Trouble> result;
  std::chrono::microseconds round_trip{};
  unsigned transmissions = 1;
};

// A TurnClient with a link to its server.
class Session {
 public:
  // `random` outlives the session.
  Session(std::unique_ptr<Link> link, std::optional<client::Credentials> credentials,
          Random& random);

  // Waits for the answer, 5.5 seconds and the same after each challenge, and no longer
  // than `deadline`. After a Trouble with an error the session is of no more use.
  Answer ask(const client::Request& request, SteadyTime deadline);

  Link& link() { return *link_; }
  const Link& link() const { return *link_; }
  std::string realm() const { return client_.realm(); }
  std::optional<client::Offer> offer() const { return client_.offer(); }

 private:
  Answer broken(int error);

  std::unique_ptr<Link> link_;
  client::TurnClient client_;
  int error_ = 0;
};

}  // namespace yuelao::probe
