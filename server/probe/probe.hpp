#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "protocol/client/challenge.hpp"
#include "protocol/client/uri.hpp"
#include "server/probe/report.hpp"
#include "server/probe/tls.hpp"

namespace yuelao::probe {

struct Options {
  client::Uri uri;
  // Without them a server is asked for what it gives to everybody.
  std::optional<client::Credentials> credentials;
  // For "turns" and "stuns"; load_trust() makes one.
  Trust trust;
  // Told what is being waited for, a line without its end at a time. Empty: nobody is.
  std::function<void(std::string_view)> progress;
  // How long everything may take. A leg that has not begun by then has failed.
  std::chrono::seconds patience{28};
  // `light` leaves out how much the relay carries in a second.
  Load load = Load::full;
};

// Tries every leg of the URI as a client would: connects, asks for its own address and
// for a relay, and sends packets to itself through it. Blocks, for `patience` at most and
// a second more. Does not throw for what a server or a network does. The process ignores
// SIGPIPE.
Report probe(const Options& options);

}  // namespace yuelao::probe
