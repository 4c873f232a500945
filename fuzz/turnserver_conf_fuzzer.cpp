#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/coturn.hpp"
#include "config/load.hpp"
#include "config/turnserver_conf.hpp"
#include "fuzz/known_lines.hpp"
#include "fuzz/line_mutator.hpp"
#include "fuzz/place.hpp"
#include "fuzz/promise.hpp"

// Reads whatever arrives as coturn's configuration, and checks what coturn.hpp promises:
// an error has its place in the file, and what is printed is a configuration of ours that
// says no more than the file did.
namespace yuelao::config {
namespace {

using fuzz::promise;

std::ptrdiff_t times(std::string_view option, std::string_view text) {
  return std::ranges::count(read_turnserver_conf(text), option, &CoturnOption::name);
}

void check_imported(const std::string& yaml, std::string_view text) {
  const auto config = parse(yaml, "turnserver.conf");
  promise(config.has_value(), "what is printed is a configuration");
  const auto& credentials = config->turn.credentials;
  promise(std::ssize(credentials.users) <= times("user", text), "no user is invented");
  promise(std::ssize(credentials.rest_secrets) == times("static-auth-secret", text),
          "every secret is kept");
  promise(std::ssize(config->turn.peers.allow) == times("allowed-peer-ip", text),
          "no peer is allowed that was not");
  promise(std::ssize(config->turn.peers.deny) == times("denied-peer-ip", text),
          "every denied peer stays so");
}

}  // namespace

void check_import(std::string_view text) {
  const auto yaml = import_coturn(text, "turnserver.conf");
  if (yaml) return check_imported(*yaml, text);
  const auto& error = yaml.error();
  promise(error.line >= 1 && error.column >= 1, "an error has a place");
  promise(fuzz::inside(error, text), "it is a place in the text");
  promise(!error.sentence.empty() && fuzz::printable_line(error.sentence),
          "an error is a sentence");
}

}  // namespace yuelao::config

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return yuelao::fuzz::mutate_lines({data, max_size}, size, seed,
                                    yuelao::fuzz::turnserver_conf_lines);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{data, data + size};
  yuelao::config::check_import(text);
  return 0;
}
