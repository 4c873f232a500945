#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <iterator>
#include <string>

#include "protocol/client/uri.hpp"
#include "protocol/stun/credentials.hpp"
#include "server/check/check.hpp"
#include "server/command/command.hpp"

namespace yuelao::server {
namespace {

using probe::Verdict;

// For the time that the check takes, and a little clock skew.
constexpr std::chrono::minutes credential_lifetime{10};

std::optional<config::StunServer> parse_stun_server(const std::string& text) {
  const auto uri = client::parse_uri(text.starts_with("stun:") ? text : "stun:" + text);
  if (!uri || uri->relays()) return std::nullopt;
  return config::StunServer{uri->host, uri->port.value_or(uri->default_port())};
}

// The error is a sentence about the command line.
std::expected<check::Options, std::string> read_options(const CheckArguments& wanted) {
  check::Options options;
  for (const auto& text : wanted.peers) {
    const auto peer = IpAddress::parse(text);
    if (!peer) return std::unexpected{"--peer " + text + " is not an IP address."};
    options.peers.push_back(*peer);
  }
  if (!wanted.stun.empty()) {
    options.stun = parse_stun_server(wanted.stun);
    if (!options.stun)
      return std::unexpected{"--stun " + wanted.stun + " is not HOST or HOST:PORT."};
  }
  auto trust = probe::load_trust(wanted.authorities);
  if (!trust) return std::unexpected{trust.error()};
  options.trust = *std::move(trust);
  options.machine = this_machine();
  options.progress = [](std::string_view waiting) { std::cerr << waiting << " ...\n"; };
  return options;
}

// Of the configuration itself, or why there is nothing more to say.
check::Report check_all(const StartOptions& start, const check::Options& options) {
  const auto failure = [](const std::string& sentence) {
    return check::Report{{{"configuration", Verdict::failed, sentence}}};
  };
  const auto ready = make_ready(start, SecretUse::read_only);
  if (!ready) return failure(ready.error());
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto ice =
      make_ice_server(ready->config, {.user = {}, .lifetime = credential_lifetime}, now);
  if (!ice) return failure(ice.error());

  const auto source = ready->config_file ? ready->config_file->string() + " can be served."
                                         : "There is no configuration file: defaults hold.";
  check::Report report{{{"configuration", Verdict::works, source}}};
  for (const auto& warning : ready->warnings) {
    report.steps.push_back({"configuration", Verdict::attention, warning});
  }
  std::ranges::move(check::check(ready->config, *ice, options).steps,
                    std::back_inserter(report.steps));
  return report;
}

}  // namespace

int check_server(const StartOptions& start, const CheckArguments& wanted) {
  const auto options = read_options(wanted);
  if (!options) return misuse(options.error());
  if (!stun::long_term_keys_work()) {
    return fail("OpenSSL refuses MD5, as in FIPS mode, and TURN cannot do without it.");
  }
  // A server that closes a connection is a result, and no reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  const auto report = check_all(start, *options);
  std::cout << (wanted.json ? check::to_json(report) + "\n" : check::to_text(report));
  return report.works() ? succeeded : failed;
}

}  // namespace yuelao::server
