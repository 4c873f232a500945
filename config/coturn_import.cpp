#include "config/coturn_import.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "config/coturn_remarks.hpp"
#include "config/secrets.hpp"
#include "config/turnserver_conf.hpp"
#include "config/values.hpp"

namespace yuelao::config {
namespace {

constexpr std::uint32_t most_allocations = 1'000'000;
constexpr std::uint32_t most_nonce_seconds = 24 * 3600;
constexpr std::size_t longest_password_bytes = 763;
constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text) {
  const auto last = text.find_last_not_of(blanks);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

Element scalar(const CoturnOption& option) {
  return {.kind = Element::Kind::scalar,
          .at = option.value_at,
          .text = std::string{trimmed(option.value)},
          .items{},
          .members{}};
}

using Done = Read<void>;
using Option = const CoturnOption&;

template <typename T, typename Keep>
Done keep(Read<T> value, Keep keep_it) {
  if (!value) return std::unexpected{std::move(value.error())};
  keep_it(std::move(*value));
  return {};
}

Done read_into(std::uint32_t& to, Option option, NumberBounds bounds) {
  return keep(read_number(scalar(option), bounds), [&](std::uint32_t value) { to = value; });
}

// A range or an address that is right, as it was written.
template <typename T>
Done append(std::vector<std::string>& to, Option option, Read<T> (*read)(const Element&)) {
  return keep(read(scalar(option)), [&](const T&) { to.emplace_back(trimmed(option.value)); });
}

Done listening_ip(CoturnImport& import, Option option) {
  const auto address = IpAddress::parse(trimmed(option.value));
  if (address && address->unspecified()) {
    import.listen_everywhere = true;
    return {};
  }
  return keep(read_address(scalar(option)),
              [&](const IpAddress& value) { import.listen_addresses.push_back(value); });
}

Done secret(CoturnImport& import, Option option) {
  const bool printable_text =
      std::ranges::none_of(option.value, [](unsigned char c) { return c < 0x20 || c >= 0x7F; });
  if (option.value.empty() || !printable_text) {
    return problem(scalar(option),
                   "this secret is empty or not plain ASCII: make another by `openssl rand -hex "
                   "32`, for both sides.");
  }
  import.secrets.push_back(option.value);
  return {};
}

Done user(CoturnImport& import, Option option) {
  const auto colon = option.value.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == option.value.size()) {
    return problem(scalar(option), "a user is written name:password: complete it.");
  }
  auto element = scalar(option);
  element.text = option.value.substr(0, colon);
  auto name = read_user_name(element);
  if (!name) return std::unexpected{name.error()};
  const auto password = option.value.substr(colon + 1);
  if (password.starts_with("0x")) {
    remark(import, option.name,
           "NOT TAKEN OVER: a user here has a key (0x...) instead of a password, and no password "
           "can be made of it: write the password under `users`.");
    return {};
  }
  element.text = password;
  auto prepared = read_prepared(element, longest_password_bytes);
  if (!prepared) return std::unexpected{prepared.error()};
  // The last of two with one name counts.
  std::erase_if(import.users, [&](const auto& one) { return one.first == *name; });
  import.users.emplace_back(std::move(*name), std::move(*prepared));
  return {};
}

Done realm(CoturnImport& import, Option option) {
  return keep(read_realm(scalar(option)),
              [&](std::string value) { import.realm = std::move(value); });
}

Done stale_nonce(CoturnImport& import, Option option) {
  if (option.value.empty()) return {};
  auto done = read_into(import.nonce_seconds, option, {0, UINT32_MAX});
  if (done && (import.nonce_seconds == 0 || import.nonce_seconds > most_nonce_seconds)) {
    import.nonce_seconds = 0;
    remark(import, option.name,
           "NOT TAKEN OVER: a nonce lives a day at most; `lifetimes.nonce` is 10m.");
  }
  return done;
}

Done quota(std::uint32_t& to, Option option) {
  return read_into(to, option, {0, most_allocations});
}

// coturn's are octets a second, each way as ours.
Done bandwidth(turn::Bandwidth& to, Option option) {
  std::uint32_t octets = 0;
  auto done = read_into(octets, option, {0, UINT32_MAX});
  if (done) to = octets;
  return done;
}

Done file_name(std::string& to, CoturnImport& import, Option option) {
  return keep(read_text(scalar(option)), [&](std::string value) {
    to = std::move(value);
    if (to.starts_with('/')) return;
    remark(import, option.name,
           "coturn looks for this file in several directories, yuelao beside its configuration: "
           "write the whole path.");
  });
}

struct Importer {
  std::string_view option;
  Done (*read)(CoturnImport& import, Option option);
};

using I = CoturnImport&;
using O = Option;

constexpr NumberBounds ports{1, 65535};
constexpr NumberBounds relay_ports{1024, 65535};  // as `relay.ports` takes them

Done relay_port(I import, O option, std::uint32_t& to) {
  import.relay_ports_at = option.value_at;
  return read_into(to, option, relay_ports);
}

constexpr std::array importers{
    Importer{"allowed-peer-ip",
             [](I import, O option) { return append(import.allow, option, read_range); }},
    Importer{"bps-capacity",
             [](I import, O option) { return bandwidth(import.server_bandwidth, option); }},
    Importer{"cert",
             [](I import, O option) { return file_name(import.certificate, import, option); }},
    Importer{"denied-peer-ip",
             [](I import, O option) { return append(import.deny, option, read_range); }},
    Importer{
        "external-ip",
        [](I import, O option) { return append(import.external, option, read_external_address); }},
    Importer{"listening-ip", listening_ip},
    Importer{"listening-port",
             [](I import, O option) { return read_into(import.port, option, ports); }},
    Importer{"max-allocate-lifetime",
             [](I import, O option) {
               return read_into(import.longest_lifetime, option, {600, 86'400});
             }},
    Importer{"max-bps",
             [](I import, O option) { return bandwidth(import.allocation_bandwidth, option); }},
    Importer{"max-port",
             [](I import, O option) { return relay_port(import, option, import.last_relay_port); }},
    Importer{
        "min-port",
        [](I import, O option) { return relay_port(import, option, import.first_relay_port); }},
    Importer{"no-dtls",
             [](I import, O option) -> Done {
               import.dtls = !coturn_flag(option.value);
               return {};
             }},
    Importer{"mobility",
             [](I import, O option) -> Done {
               import.mobility = coturn_flag(option.value);
               return {};
             }},
    Importer{"no-tcp",
             [](I import, O option) -> Done {
               import.tcp = !coturn_flag(option.value);
               return {};
             }},
    Importer{"no-tls",
             [](I import, O option) -> Done {
               import.tls = !coturn_flag(option.value);
               return {};
             }},
    Importer{"no-udp",
             [](I import, O option) -> Done {
               import.udp = !coturn_flag(option.value);
               return {};
             }},
    Importer{"pkey", [](I import, O option) { return file_name(import.key, import, option); }},
    Importer{"realm", realm},
    Importer{
        "relay-ip",
        [](I import, O option) { return append(import.relay_addresses, option, read_address); }},
    Importer{"stale-nonce", stale_nonce},
    Importer{"static-auth-secret", secret},
    Importer{"tls-listening-port",
             [](I import, O option) { return read_into(import.tls_port, option, ports); }},
    Importer{"total-quota", [](I import, O option) { return quota(import.total_quota, option); }},
    Importer{"user", user},
    Importer{"user-quota", [](I import, O option) { return quota(import.user_quota, option); }},
};

}  // namespace

void remark(CoturnImport& import, const std::string& option, std::string_view sentence) {
  auto& all = import.remarks;
  const auto same = [&](const auto& one) { return one.first == option; };
  if (std::ranges::none_of(all, same)) all.emplace_back(option, sentence);
}

Read<CoturnImport> read_coturn(std::string_view text) {
  CoturnImport import;
  for (const auto& option : read_turnserver_conf(text)) {
    const auto importer = std::ranges::find(importers, option.name, &Importer::option);
    if (importer == importers.end()) {
      remark(import, option.name, coturn_remark(option.name));
    } else if (const auto done = importer->read(import, option); !done) {
      return std::unexpected{done.error()};
    }
  }
  if (import.last_relay_port < import.first_relay_port) {
    return std::unexpected{
        Problem{import.relay_ports_at, "max-port is below min-port: exchange them."}};
  }
  return import;
}

}  // namespace yuelao::config
