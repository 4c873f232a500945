#include "config/coturn_remarks.hpp"

#include <algorithm>
#include <array>

namespace yuelao::config {
namespace {

struct Remark {
  std::string_view option;
  std::string_view sentence;
};

constexpr std::string_view always = "nothing to set, yuelao is so always.";
constexpr std::string_view never = "nothing to set, yuelao has no such thing.";
constexpr std::string_view standard_error =
    "nothing to set, the log goes to standard error and so to the journal.";
constexpr std::string_view systemd = "nothing to set, systemd runs yuelao as a user of its own.";
constexpr std::string_view database =
    "NOT TAKEN OVER: yuelao reads no database, put its users and secrets under `users` and "
    "`secrets`.";
constexpr std::string_view discovery =
    "NOT TAKEN OVER: `behavior_discovery` has the two addresses and ports of RFC 5780.";
constexpr std::string_view ciphers =
    "nothing to set, OpenSSL's own list is used, TLS 1.2 and 1.3 only.";
constexpr std::string_view fixed_lifetime = "nothing to set, the RFC fixes it.";
constexpr std::string_view elsewhere =
    "NOT TAKEN OVER: yuelao sends clients to another server only while it drains "
    "(`alternate_server`); let DNS name several.";
constexpr std::string_view no_admin = "nothing to set, there is no console and no admin page.";
constexpr std::string_view own_threads = "nothing to set, `threads` is one a core by default.";
constexpr std::string_view device =
    "NOT TAKEN OVER: name addresses in `listen` and `relay.addresses` instead of a device.";

constexpr std::array option_remarks{
    Remark{"CA-file", "NOT TAKEN OVER: yuelao asks clients for no certificate."},
    Remark{"Verbose", "NOT TAKEN OVER: `log: {level: debug}` says more, still without addresses."},
    Remark{"acme-redirect", "NOT TAKEN OVER: let the web server answer certificate checks."},
    Remark{"allocation-default-address-family",
           "nothing to set, a relay has its client's family unless the client asks for one."},
    Remark{"allow-loopback-peers",
           "UNSAFE and not taken over: it opens this machine's own services to every user. For a "
           "media server here, list its address under `peers.allow`."},
    Remark{"alt-listening-port", discovery},
    Remark{"alt-tls-listening-port", discovery},
    Remark{"alternate-server", elsewhere},
    Remark{"aux-server", "NOT TAKEN OVER: list further listeners under `listen`."},
    Remark{"channel-lifetime", fixed_lifetime},
    Remark{"check-origin-consistency", never},
    Remark{"cipher-list", ciphers},
    Remark{"cli-ip", no_admin},
    Remark{"cli-max-output-sessions", no_admin},
    Remark{"cli-password", no_admin},
    Remark{"cli-port", no_admin},
    Remark{"daemon", systemd},
    Remark{"dh-file", ciphers},
    Remark{"dh1066", ciphers},
    Remark{"dh566", ciphers},
    Remark{"ec-curve-name", ciphers},
    Remark{"fingerprint", "nothing to set, whoever sends FINGERPRINT gets it back."},
    Remark{"keep-address-family",
           "nothing to set, a relay has its client's family unless the client asks for one."},
    Remark{"listening-device", device},
    Remark{"log-binding", never},
    Remark{"log-file", standard_error},
    Remark{"lt-cred-mech", always},
    Remark{"max-allocate-timeout", never},
    Remark{"mongo-userdb", database},
    Remark{"mysql-userdb", database},
    Remark{"new-log-timestamp", standard_error},
    Remark{"new-log-timestamp-format", standard_error},
    Remark{"no-auth",
           "UNSAFE and not taken over: it lets everybody relay. yuelao is never open; without "
           "users and secrets it makes a secret of its own."},
    Remark{"no-auth-pings", never},
    Remark{"no-cli", no_admin},
    Remark{"no-dynamic-ip-list", never},
    Remark{"no-dynamic-realms", never},
    Remark{"no-loopback-peers", always},
    Remark{"no-multicast-peers", always},
    Remark{"no-rfc5780", always},
    Remark{"no-software-attribute", "nothing to set, `software` is off by default."},
    Remark{"no-stdout-log", standard_error},
    Remark{"no-stun", "NOT TAKEN OVER: Binding is always answered; browsers need it."},
    Remark{"no-stun-backward-compatibility",
           "NOT TAKEN OVER: clients of RFC 3489 are answered; BigBlueButton's check is one."},
    Remark{"no-tcp-relay", always},
    Remark{"no-tlsv1", always},
    Remark{"no-tlsv1_1", always},
    Remark{"no-tlsv1_2", "NOT TAKEN OVER: TLS 1.2 stays; browsers would do without it."},
    Remark{"no-udp-relay", "NOT TAKEN OVER: relayed traffic is UDP."},
    Remark{"oauth", "NOT TAKEN OVER: RFC 7635 is not there, and no meeting system asks for it."},
    Remark{"permission-lifetime", fixed_lifetime},
    Remark{"pidfile", systemd},
    Remark{"pkey-pwd", "NOT TAKEN OVER: decrypt the key (openssl pkey) and `chmod 600` it."},
    Remark{"proc-group", systemd},
    Remark{"proc-user", systemd},
    Remark{"prometheus", "nothing to set, `metrics` serves 127.0.0.1:9641 by default."},
    Remark{"prometheus-port", "NOT TAKEN OVER: `metrics` takes an address with its port."},
    Remark{"prometheus-username-labels",
           "UNSAFE and not taken over: no metric of yuelao's names a user."},
    Remark{"psql-userdb", database},
    Remark{"redis-statsdb", "NOT TAKEN OVER: `metrics` has the figures, for Prometheus."},
    Remark{"redis-userdb", database},
    Remark{"relay-device", device},
    Remark{"relay-threads", own_threads},
    Remark{"response-origin-only-with-rfc5780", always},
    Remark{"rest-api-separator",
           "NOT TAKEN OVER: in REST user names the separator is `:`, as every meeting system has "
           "it."},
    Remark{"secret-key-file", database},
    Remark{"secure-stun", "NOT TAKEN OVER: Binding is always answered; browsers need it."},
    Remark{"server-name",
           "nothing to set, it is for OAuth; clients are told by `--host` or "
           "`external_address`."},
    Remark{"server-relay",
           "UNSAFE and not taken over: it lets strangers send to relays without a permission."},
    Remark{"simple-log", standard_error},
    Remark{"stun-only", "NOT TAKEN OVER: yuelao always relays for those with credentials."},
    Remark{"syslog", standard_error},
    Remark{"syslog-facility", standard_error},
    Remark{"tcp-proxy-port",
           "NOT TAKEN OVER: docs/configuration.md says what yuelao takes from proxies."},
    Remark{"tls-alternate-server", elsewhere},
    Remark{"udp-self-balance", own_threads},
    Remark{"use-auth-secret", "nothing to set, a line under `secrets` is enough."},
    Remark{"userdb", database},
    Remark{"verbose", "NOT TAKEN OVER: `log: {level: debug}` says more, still without addresses."},
    Remark{"web-admin", no_admin},
    Remark{"web-admin-ip", no_admin},
    Remark{"web-admin-listen-on-workers", no_admin},
    Remark{"web-admin-port", no_admin},
};

}  // namespace

std::string_view coturn_remark(std::string_view option) {
  const auto found = std::ranges::find(option_remarks, option, &Remark::option);
  if (found != option_remarks.end()) return found->sentence;
  return "NOT TAKEN OVER: no option of coturn's that is known here.";
}

}  // namespace yuelao::config
