#include "config/coturn.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "config/bandwidth.hpp"
#include "config/coturn_import.hpp"
#include "config/load.hpp"

namespace yuelao::config {
namespace {

constexpr std::uint16_t usual_port = 3478;
constexpr std::uint16_t usual_tls_port = 5349;

// Between single quotes nothing but they themselves means anything to YAML.
std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string{"''"} : std::string{c};
  return result + "'";
}

std::string listed(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : ", ") + in_quotes(text);
  return "[" + all + "]";
}

bool has_tls(const CoturnImport& import) {
  return import.tls && !import.certificate.empty() && !import.key.empty();
}

// "udp:3478" for every address, "udp:192.0.2.1:3478" for one.
void add_listeners(const CoturnImport& import, std::string_view transport, std::uint32_t port,
                   std::vector<std::string>& all) {
  const auto add = [&](const std::string& listener) {
    if (std::ranges::find(all, listener) == all.end()) all.push_back(listener);
  };
  const std::string start = std::string{transport} + ":";
  if (import.listen_everywhere || import.listen_addresses.empty()) {
    return add(start + std::to_string(port));
  }
  for (const auto& address : import.listen_addresses) {
    add(start + Endpoint{address, static_cast<std::uint16_t>(port)}.to_string());
  }
}

std::string listen(const CoturnImport& import) {
  std::vector<std::string> all;
  if (import.udp) add_listeners(import, "udp", import.port, all);
  if (import.tcp) add_listeners(import, "tcp", import.port, all);
  // yuelao's tcp takes TLS too, and udp DTLS.
  if (has_tls(import) && !(import.tcp && import.port == import.tls_port)) {
    add_listeners(import, "tls", import.tls_port, all);
  }
  if (has_tls(import) && import.dtls && !(import.udp && import.port == import.tls_port)) {
    add_listeners(import, "dtls", import.tls_port, all);
  }
  const bool everywhere = import.listen_everywhere || import.listen_addresses.empty();
  const bool tls_as_usual = !has_tls(import) || (import.tls_port == usual_tls_port && import.dtls);
  const bool usual = everywhere && import.udp && import.tcp && import.port == usual_port;
  return usual && tls_as_usual ? "" : "listen: " + listed(all) + "\n";
}

std::string relay(const CoturnImport& import) {
  std::string text;
  if (!import.relay_addresses.empty()) {
    text += "  addresses: " + listed(import.relay_addresses) + "\n";
  }
  if (import.relay_ports_at.line > 0) {
    text += "  ports: " + std::to_string(import.first_relay_port) + "-" +
            std::to_string(import.last_relay_port) + "\n";
  }
  return text.empty() ? "" : "relay:\n" + text;
}

std::string tls(const CoturnImport& import) {
  if (!has_tls(import)) return "";
  return "tls:\n  certificate: " + in_quotes(import.certificate) +
         "\n  key: " + in_quotes(import.key) + "\n";
}

std::string credentials(const CoturnImport& import) {
  std::string text;
  if (!import.realm.empty()) text += "realm: " + in_quotes(import.realm) + "\n";
  if (!import.secrets.empty()) text += "secrets:\n";
  for (const auto& secret : import.secrets) text += "  - value: " + in_quotes(secret) + "\n";
  if (!import.users.empty()) text += "users:\n";
  for (const auto& [name, password] : import.users) {
    text += "  - name: " + in_quotes(name) + "\n    password: " + in_quotes(password) + "\n";
  }
  if (import.secrets.empty() && import.users.empty()) {
    text +=
        "# Neither users nor secrets: yuelao makes a secret of its own, and `yuelao "
        "integrate` tells it.\n";
  }
  return text;
}

std::string peers(const CoturnImport& import) {
  std::string text;
  if (!import.allow.empty()) text += "  allow: " + listed(import.allow) + "\n";
  if (!import.deny.empty()) text += "  deny: " + listed(import.deny) + "\n";
  return text.empty() ? "" : "peers:\n" + text;
}

std::string limits(const CoturnImport& import) {
  std::string text;
  if (import.total_quota > 0) {
    text += "  allocations: " + std::to_string(import.total_quota) + "\n";
  }
  if (import.user_quota > 0) text += "  per_user: " + std::to_string(import.user_quota) + "\n";
  return text.empty() ? "" : "limits:\n" + text;
}

std::string bandwidth(const CoturnImport& import) {
  std::string text;
  const auto add = [&](std::string_view key, turn::Bandwidth octets) {
    if (octets > 0) text += "  " + std::string{key} + ": " + to_string(octets) + "\n";
  };
  add("server", import.server_bandwidth);
  add("allocation", import.allocation_bandwidth);
  return text.empty() ? "" : "bandwidth:\n" + text;
}

std::string lifetimes(const CoturnImport& import) {
  std::string text;
  if (import.longest_lifetime > 0) {
    text += "  maximum: " + std::to_string(import.longest_lifetime) + "s\n";
  }
  if (import.nonce_seconds > 0) text += "  nonce: " + std::to_string(import.nonce_seconds) + "s\n";
  return text.empty() ? "" : "lifetimes:\n" + text;
}

std::string remarks(const CoturnImport& import) {
  std::string text;
  for (const auto& [option, sentence] : import.remarks) {
    text += "# " + printable(option).substr(0, 64) + ": " + sentence + "\n";
  }
  return text.empty() ? "" : "\n# What else that file says:\n" + text;
}

// Options that mean something only beside each other.
void judge_together(CoturnImport& import) {
  const auto said = [&](std::string_view option) {
    return std::ranges::find(import.remarks, option, [](const auto& one) {
             return std::string_view{one.first};
           }) != import.remarks.end();
  };
  if (!import.users.empty() && (!import.secrets.empty() || said("use-auth-secret"))) {
    import.users.clear();
    remark(import, "user",
           "NOT TAKEN OVER: coturn looks at no user beside a secret. yuelao looks at both: list "
           "them under `users` if they are wanted.");
  }
  if (import.tls && import.certificate.empty() != import.key.empty()) {
    remark(import, import.certificate.empty() ? "pkey" : "cert",
           "NOT TAKEN OVER: TLS needs both, cert and pkey.");
  }
}

std::string compose(const CoturnImport& import, const std::string& name) {
  std::string external;
  if (!import.external.empty()) external = "external_address: " + listed(import.external) + "\n";
  return "# From " + printable(name) + ". It may hold secrets: chmod 640.\n" + listen(import) +
         external + relay(import) + tls(import) + credentials(import) + peers(import) +
         limits(import) + bandwidth(import) + lifetimes(import) +
         (import.mobility ? "mobility: on\n" : "") + remarks(import);
}

}  // namespace

std::expected<std::string, ConfigError> import_coturn(std::string_view text,
                                                      const std::string& name) {
  const auto refused = [&](const Problem& problem) {
    return std::unexpected{ConfigError{name, problem.at.line, problem.at.column, problem.sentence}};
  };
  auto import = read_coturn(text);
  if (!import) return refused(import.error());
  judge_together(*import);
  auto yaml = compose(*import, name);
  const auto config = parse(yaml, name);
  if (!config) return refused({{}, "these options do not go together: " + config.error().sentence});
  return yaml;
}

}  // namespace yuelao::config
