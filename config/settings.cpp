#include "config/settings.hpp"

#include <array>
#include <type_traits>
#include <utility>

#include "config/values.hpp"

namespace yuelao::config {
namespace {

using namespace std::chrono_literals;

constexpr NumberBounds allocations{1, 1'000'000};
constexpr NumberBounds number_or_unlimited{0, 1'000'000};
constexpr NumberBounds channels{1, 4096};  // RFC 8656 §12 has 4096 numbers
// A lifetime is what a crashed client costs; a day of it is already too much.
constexpr DurationBounds lifetimes{1s, 24h};
constexpr DurationBounds credential_lifetimes{1s, 24h * 3650};
constexpr DurationBounds drain{0s, 24h};
constexpr DurationBounds address_checks{0s, 24h};

template <typename From, typename To>
Read<void> assign(Read<From> value, To& to) {
  if (!value) return std::unexpected{std::move(value.error())};
  to = std::move(*value);
  return {};
}

// A duration, or `off`, which stands for `without`.
template <typename To>
Read<void> assign_unless_off(const Element& element, DurationBounds bounds,
                             std::type_identity_t<To> without, To& to) {
  if (element.kind == Element::Kind::scalar && element.text == "off") {
    to = without;
    return {};
  }
  auto duration = read_duration(element, bounds);
  if (!duration) {
    auto& sentence = duration.error().sentence;
    sentence.pop_back();  // its full stop
    sentence += ", or off.";
  }
  return assign(std::move(duration), to);
}

template <typename Enum, std::size_t n>
Read<void> choose(const Element& element, const std::array<std::string_view, n>& words, Enum& to) {
  const auto index = read_word(element, words);
  if (!index) return std::unexpected{index.error()};
  to = static_cast<Enum>(*index);
  return {};
}

Read<void> read_relay_ports(const Element& element, Draft& draft) {
  const auto ports = read_ports(element);
  if (!ports) return std::unexpected{ports.error()};
  // RFC 8656 §7.2: nobody is to run a standard service behind a relay.
  if (ports->first < 1024) {
    return problem(element,
                   "ports below 1024 are for well-known services: begin at 1024 or above.");
  }
  draft.config.relay.first_port = ports->first;
  draft.config.relay.last_port = ports->last;
  return {};
}

// Relative names start where the configuration lies, wherever yuelao was started.
Read<void> read_file_name(const Element& element, const Draft& draft, std::filesystem::path& to) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  to = draft.secrets.directory() / *text;
  return {};
}

TlsFiles& tls(Draft& draft) {
  if (!draft.config.tls) draft.config.tls.emplace();
  return *draft.config.tls;
}

Read<void> read_software(const Element& element, Draft& draft) {
  auto text = read_software_text(element);
  if (!text) return std::unexpected{std::move(text.error())};
  if (*text == "off") {
    draft.config.turn.software.reset();
  } else {
    draft.config.turn.software = std::move(*text);
  }
  return {};
}

Read<std::uint16_t> read_port(const Element& element) {
  const auto number = read_number(element, {1, 65535});
  if (!number) return std::unexpected{number.error()};
  return static_cast<std::uint16_t>(*number);
}

Read<void> read_discovery_ports(const Element& element, Draft& draft) {
  const auto ports = read_list(element, read_port);
  if (!ports) return std::unexpected{ports.error()};
  if (ports->size() != 2 || ports->front() == ports->back()) {
    return problem(element, "two different ports belong here, such as [3478, 3479].");
  }
  draft.config.turn.behavior_discovery.ports = {ports->front(), ports->back()};
  return {};
}

Read<void> read_state_directory(const Element& element, Draft& draft) {
  const auto text = read_text(element);
  if (!text) return std::unexpected{text.error()};
  std::filesystem::path path{*text};
  if (!path.is_absolute()) {
    return problem(element,
                   backquoted(*text) + " depends on where yuelao is started: begin it with `/`.");
  }
  draft.config.state_directory = std::move(path);
  return {};
}

WebServer& web_server(Draft& draft) {
  if (!draft.config.web_server) draft.config.web_server.emplace();
  return *draft.config.web_server;
}

Read<void> read_proxies(const Element& element, Draft& draft) {
  auto ranges = read_list(element, read_range);
  if (!ranges) return std::unexpected{std::move(ranges.error())};
  draft.config.turn.limits.proxies = *ranges;
  draft.config.proxies = *std::move(ranges);
  return {};
}

Read<void> read_switch(const Element& element, bool& to) {
  constexpr std::array<std::string_view, 2> words{"off", "on"};
  const auto index = read_word(element, words);
  if (!index) return std::unexpected{index.error()};
  to = *index == 1;
  return {};
}

constexpr std::array<std::string_view, 2> peer_modes{"peer-to-peer", "media-server"};
constexpr std::array<std::string_view, 2> proxy_protocols{"off", "v2"};
constexpr std::array<std::string_view, 4> log_levels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> log_formats{"text", "json"};
constexpr std::array<std::string_view, 3> log_privacies{"none", "truncated", "full"};
constexpr std::array<std::string_view, 3> pollers{"auto", "epoll", "io_uring"};

using E = const Element&;
using D = Draft&;

constexpr std::array all_settings{
    Setting{"listen",
            [](E element, D draft) {
              return assign(read_list(element, read_listen), draft.config.listen);
            }},
    Setting{"external_address",
            [](E element, D draft) {
              return assign(read_list(element, read_external_address),
                            draft.config.external_addresses);
            }},
    Setting{"address_check",
            [](E element, D draft) {
              return assign_unless_off(element, address_checks, 0s, draft.config.address_check);
            }},
    Setting{"relay.addresses",
            [](E element, D draft) {
              return assign(read_list(element, read_address), draft.config.relay.addresses);
            }},
    Setting{"relay.ports", read_relay_ports},
    Setting{
        "tls.certificate",
        [](E element, D draft) { return read_file_name(element, draft, tls(draft).certificate); }},
    Setting{"tls.key",
            [](E element, D draft) { return read_file_name(element, draft, tls(draft).key); }},
    Setting{"proxies", read_proxies},
    Setting{"web_server.tls",
            [](E element, D draft) {
              return assign(read_destination(element), web_server(draft).tls);
            }},
    Setting{"web_server.plain",
            [](E element, D draft) {
              return assign(read_destination(element), web_server(draft).plain);
            }},
    Setting{"web_server.turn_names",
            [](E element, D draft) {
              return assign(read_list(element, read_host_name), web_server(draft).turn_names);
            }},
    Setting{"web_server.proxy_protocol",
            [](E element, D draft) {
              return choose(element, proxy_protocols, web_server(draft).proxy_protocol);
            }},
    Setting{"realm", [](E element,
                        D draft) { return assign(read_realm(element), draft.config.turn.realm); }},
    Setting{"users",
            [](E element, D draft) {
              return assign(draft.secrets.users(element), draft.config.turn.credentials.users);
            }},
    Setting{"denied_users",
            [](E element, D draft) {
              return assign(read_list(element, read_user_name),
                            draft.config.turn.credentials.denied_users);
            }},
    Setting{"secrets",
            [](E element, D draft) {
              return assign(draft.secrets.secrets(element, "secrets"),
                            draft.config.turn.credentials.rest_secrets);
            }},
    Setting{"credentials.listen",
            [](E element, D draft) {
              return assign(read_endpoint(element, "127.0.0.1:9642"),
                            draft.config.credentials.listen);
            }},
    Setting{"credentials.keys",
            [](E element, D draft) {
              return assign(draft.secrets.secrets(element, "credentials.keys"),
                            draft.config.credentials.keys);
            }},
    Setting{"credentials.origins",
            [](E element, D draft) {
              return assign(read_list(element, read_origin), draft.config.credentials.origins);
            }},
    Setting{"credentials.lifetime",
            [](E element, D draft) {
              return assign(read_duration(element, credential_lifetimes),
                            draft.config.credentials.lifetime);
            }},
    Setting{"credentials.rate",
            [](E element, D draft) {
              return assign(read_number(element, number_or_unlimited),
                            draft.config.credentials.rate);
            }},
    Setting{"peers.mode",
            [](E element, D draft) {
              return choose(element, peer_modes, draft.config.turn.peers.mode);
            }},
    Setting{"peers.allow",
            [](E element, D draft) {
              return assign(read_list(element, read_range), draft.config.turn.peers.allow);
            }},
    Setting{"peers.deny",
            [](E element, D draft) {
              return assign(read_list(element, read_range), draft.config.turn.peers.deny);
            }},
    Setting{"peers.allow_ports",
            [](E element, D draft) {
              return assign(read_list(element, read_ports), draft.config.turn.peers.allow_ports);
            }},
    Setting{"peers.deny_ports",
            [](E element, D draft) {
              return assign(read_list(element, read_ports), draft.config.turn.peers.deny_ports);
            }},
    Setting{"limits.allocations",
            [](E element, D draft) {
              return assign(read_number(element, allocations),
                            draft.config.turn.limits.allocations);
            }},
    Setting{"limits.per_user",
            [](E element, D draft) {
              return assign(read_number(element, number_or_unlimited),
                            draft.config.turn.limits.allocations_per_user);
            }},
    Setting{"limits.per_client",
            [](E element, D draft) {
              return assign(read_number(element, allocations),
                            draft.config.turn.limits.allocations_per_prefix);
            }},
    Setting{"limits.permissions",
            [](E element, D draft) {
              return assign(read_number(element, {1, 10'000}),
                            draft.config.turn.limits.permissions_per_allocation);
            }},
    Setting{"limits.channels",
            [](E element, D draft) {
              return assign(read_number(element, channels),
                            draft.config.turn.limits.channels_per_allocation);
            }},
    Setting{"limits.new_peers",
            [](E element, D draft) {
              return assign(read_number(element, number_or_unlimited),
                            draft.config.turn.limits.new_peers_per_allocation);
            }},
    Setting{"limits.new_peers_per_client",
            [](E element, D draft) {
              return assign(read_number(element, number_or_unlimited),
                            draft.config.turn.limits.new_peers_per_prefix);
            }},
    Setting{"bandwidth.server",
            [](E element, D draft) {
              return assign(read_bandwidth(element), draft.config.turn.limits.bandwidth);
            }},
    Setting{"bandwidth.allocation",
            [](E element, D draft) {
              return assign(read_bandwidth(element),
                            draft.config.turn.limits.bandwidth_per_allocation);
            }},
    Setting{"bandwidth.strangers",
            [](E element, D draft) {
              return assign(read_bandwidth(element), draft.config.turn.limits.strangers);
            }},
    Setting{"limits.connections",
            [](E element, D draft) {
              return assign(read_number(element, allocations), draft.config.connections);
            }},
    Setting{"limits.connections_per_client",
            [](E element, D draft) {
              return assign(read_number(element, number_or_unlimited),
                            draft.config.connections_per_client);
            }},
    Setting{"tcp_relays.enabled",
            [](E element, D draft) { return read_switch(element, draft.config.turn.tcp_relays); }},
    Setting{"tcp_relays.connections",
            [](E element, D draft) {
              return assign(read_number(element, allocations),
                            draft.config.turn.limits.peer_connections);
            }},
    Setting{"tcp_relays.per_user",
            [](E element, D draft) {
              return assign(read_number(element, number_or_unlimited),
                            draft.config.turn.limits.peer_connections_per_user);
            }},
    Setting{"tcp_relays.per_allocation",
            [](E element, D draft) {
              return assign(read_number(element, {1, 1'000}),
                            draft.config.turn.limits.peer_connections_per_allocation);
            }},
    Setting{"lifetimes.default",
            [](E element, D draft) {
              return assign(read_duration(element, lifetimes), draft.config.turn.default_lifetime);
            }},
    Setting{"lifetimes.maximum",
            [](E element, D draft) {
              return assign(read_duration(element, lifetimes), draft.config.turn.maximum_lifetime);
            }},
    Setting{"lifetimes.nonce",
            [](E element, D draft) {
              return assign(read_duration(element, lifetimes), draft.config.turn.nonce_lifetime);
            }},
    Setting{"lifetimes.longest_credential",
            [](E element, D draft) {
              return assign_unless_off(element, credential_lifetimes, {},
                                       draft.config.turn.credentials.longest_rest_lifetime);
            }},
    Setting{"software", read_software},
    Setting{"metrics",
            [](E element, D draft) {
              return assign(read_endpoint(element, "127.0.0.1:9641"), draft.config.metrics);
            }},
    Setting{"log.level",
            [](E element, D draft) { return choose(element, log_levels, draft.config.log.level); }},
    Setting{
        "log.format",
        [](E element, D draft) { return choose(element, log_formats, draft.config.log.format); }},
    Setting{"log.privacy",
            [](E element, D draft) {
              return choose(element, log_privacies, draft.config.log.privacy);
            }},
    Setting{"drain_timeout",
            [](E element, D draft) {
              return assign(read_duration(element, drain), draft.config.drain_timeout);
            }},
    Setting{"mobility",
            [](E element, D draft) { return read_switch(element, draft.config.turn.mobility); }},
    Setting{"alternate_server.addresses",
            [](E element, D draft) {
              return assign(read_list(element, read_address_or_endpoint),
                            draft.config.turn.alternate_server.addresses);
            }},
    Setting{"alternate_server.domain",
            [](E element, D draft) {
              return assign(read_host_name(element), draft.config.turn.alternate_server.domain);
            }},
    Setting{"behavior_discovery.addresses",
            [](E element, D draft) {
              return assign(read_list(element, read_discovery_address),
                            draft.config.turn.behavior_discovery.addresses);
            }},
    Setting{"behavior_discovery.ports", read_discovery_ports},
    Setting{"threads",
            [](E element, D draft) {
              return assign(read_number(element, {0, 256}), draft.config.threads);
            }},
    Setting{"poller",
            [](E element, D draft) { return choose(element, pollers, draft.config.poller); }},
    Setting{"sandbox",
            [](E element, D draft) { return read_switch(element, draft.config.sandbox); }},
    Setting{"state_directory", read_state_directory},
};

}  // namespace

std::span<const Setting> settings() { return all_settings; }

}  // namespace yuelao::config
