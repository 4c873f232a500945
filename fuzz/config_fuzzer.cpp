#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/load.hpp"
#include "fuzz/known_lines.hpp"
#include "fuzz/line_mutator.hpp"
#include "fuzz/place.hpp"
#include "fuzz/promise.hpp"

// Reads whatever arrives as a configuration file, and checks what load.hpp promises of
// the answer and what the server takes for granted in a Config.
namespace yuelao::config {
namespace {

using fuzz::promise;

void check_error(const ConfigError& error, std::string_view text) {
  promise(error.line >= 1 && error.column >= 1, "an error has a place");
  promise(error.line <= std::ranges::count(text, '\n') + std::ranges::count(text, '\r') + 1,
          "its line is one of the text's");
  promise(!fuzz::plain(text) || fuzz::inside(error, text), "it is a place in the text");
  promise(!error.sentence.empty() && fuzz::printable_line(error.sentence),
          "an error is a sentence");
}

void check_config(const Config& config) {
  promise(!config.listen.empty(), "there is a listener");
  for (const auto& listen : config.listen) {
    promise(listen.port != 0, "a listener has a port");
    promise(listen.transport != Transport::tls || config.tls, "TLS has a certificate");
  }
  promise(config.relay.first_port != 0 && config.relay.first_port <= config.relay.last_port,
          "relays have ports");
  promise(config.turn.default_lifetime <= config.turn.maximum_lifetime, "lifetimes are in order");
  promise(config.turn.nonce_lifetime.count() > 0, "nonces live");
  promise(!config.turn.realm.empty(), "there is a realm");
  promise(config.turn.limits.allocations > 0, "there can be an allocation");
  for (const auto& user : config.turn.credentials.users) {
    promise(!user.name.empty() && !user.password.empty(), "users have names and passwords");
  }
  for (const auto& secret : config.turn.credentials.rest_secrets) {
    promise(!secret.empty(), "no secret is empty");
  }
  for (const auto& warning : config.warnings)
    promise(fuzz::printable_line(warning), "one line each");
}

}  // namespace

void check(std::string_view text) {
  const auto config = parse(text, "fuzzed.yaml");
  if (config) {
    check_config(*config);
  } else {
    check_error(config.error(), text);
  }
}

}  // namespace yuelao::config

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return yuelao::fuzz::mutate_lines({data, max_size}, size, seed, yuelao::fuzz::yaml_lines);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{data, data + size};
  yuelao::config::check(text);
  return 0;
}
