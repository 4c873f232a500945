#include "server/metrics.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "protocol/turn/counters.hpp"
#include "server/process_metrics.hpp"

namespace yuelao::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Shards = std::span<const ShardSnapshot>;
using Labels = std::vector<ClientMetric::Label>;

std::uint64_t total(Shards shards, auto value) {
  return std::transform_reduce(shards.begin(), shards.end(), std::uint64_t{0}, std::plus{}, value);
}

// Builds the families one after another, in the order a reader sees them.
class Families {
 public:
  Families& family(MetricType type, std::string_view name, std::string_view help) {
    families_.push_back({std::string{name}, std::string{help}, type, {}});
    return *this;
  }
  Families& gauge(std::string_view name, std::string_view help) {
    return family(MetricType::Gauge, name, help);
  }
  Families& counter(std::string_view name, std::string_view help) {
    return family(MetricType::Counter, name, help);
  }
  Families& value(auto number, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = static_cast<double>(number);  // the serializer reads the type's own
    metric.gauge.value = static_cast<double>(number);
    families_.back().metric.push_back(std::move(metric));
    return *this;
  }
  Families& histogram(const ClientMetric::Histogram& histogram) {
    ClientMetric metric;
    metric.histogram = histogram;
    families_.back().metric.push_back(std::move(metric));
    return *this;
  }
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, families_);
    return std::move(out).str();
  }

 private:
  std::vector<MetricFamily> families_;
};

void add_gauges(Families& families, Shards shards) {
  families.gauge("yuelao_allocations", "Live allocations by client transport and relay family.");
  constexpr std::array<std::string_view, 2> family_names = {"ipv4", "ipv6"};
  std::uint64_t sessions = 0;
  for (std::size_t transport = 0; transport < transport_count; ++transport) {
    for (std::size_t family = 0; family < family_names.size(); ++family) {
      const auto live = total(shards, [&](const ShardSnapshot& shard) {
        return shard.gauges.allocations[transport][family];
      });
      sessions += live;
      families.value(live, {{"transport", std::string{name(static_cast<Transport>(transport))}},
                            {"family", std::string{family_names[family]}}});
    }
  }
  families.gauge("yuelao_sessions", "Live allocations in all.").value(sessions);
  families.gauge("yuelao_mobile_allocations", "Live allocations with a mobility ticket (RFC 8016).")
      .value(total(shards, [](const auto& shard) { return shard.gauges.mobile; }));
  families.gauge("yuelao_permissions", "Live permissions.")
      .value(total(shards, [](const auto& shard) { return shard.gauges.permissions; }));
  families.gauge("yuelao_channels", "Live channel bindings.")
      .value(total(shards, [](const auto& shard) { return shard.gauges.channels; }));
  families.gauge("yuelao_peer_connections", "TCP connections of relays with peers, by state.");
  constexpr std::array<std::string_view, 3> states = {"connecting", "pending", "bound"};
  for (std::size_t state = 0; state < states.size(); ++state) {
    families.value(
        total(shards, [&](const auto& shard) { return shard.gauges.peer_connections[state]; }),
        {{"state", std::string{states[state]}}});
  }
  families.gauge("yuelao_open_connections", "Open TCP, TLS and DTLS client connections.")
      .value(total(shards, [](const auto& shard) { return shard.meters.connections_open; }));
}

void add_traffic(Families& families, Shards shards) {
  const auto sum = [&](turn::Traffic turn::Counters::* way, std::uint64_t turn::Traffic::* unit) {
    return total(shards, [&](const ShardSnapshot& shard) { return shard.counters.*way.*unit; });
  };
  const auto both = [&](std::uint64_t turn::Traffic::* unit) {
    families.value(sum(&turn::Counters::client_to_peer, unit), {{"direction", "client_to_peer"}})
        .value(sum(&turn::Counters::peer_to_client, unit), {{"direction", "peer_to_client"}});
  };
  families.counter("yuelao_relayed_packets_total", "Packets relayed by direction.");
  both(&turn::Traffic::packets);
  families.counter("yuelao_relayed_bytes_total",
                   "Application data relayed by direction, without STUN or ChannelData framing.");
  both(&turn::Traffic::bytes);
}

void add_tcp_traffic(Families& families, Shards shards) {
  families.counter("yuelao_tcp_relayed_bytes_total", "Octets relayed between TCP connections.")
      .value(total(shards, [](const auto& s) { return s.counters.tcp_client_to_peer_bytes; }),
             {{"direction", "client_to_peer"}})
      .value(total(shards, [](const auto& s) { return s.counters.tcp_peer_to_client_bytes; }),
             {{"direction", "peer_to_client"}});
  families
      .counter("yuelao_peer_connections_total",
               "TCP connections of relays with peers, by who made them.")
      .value(total(shards, [](const auto& s) { return s.counters.peer_connections_made; }),
             {{"by", "client"}})
      .value(total(shards, [](const auto& s) { return s.counters.peer_connections_accepted; }),
             {{"by", "peer"}});
}

void add_requests(Families& families, Shards shards) {
  families.counter("yuelao_requests_total", "Answered requests by method and outcome.");
  for (std::size_t slot = 0; slot < turn::method_slots; ++slot) {
    const std::string method{turn::method_name(slot)};
    families
        .value(total(shards, [&](const auto& s) { return s.counters.requests_succeeded[slot]; }),
               {{"method", method}, {"outcome", "success"}})
        .value(total(shards, [&](const auto& s) { return s.counters.requests_refused[slot]; }),
               {{"method", method}, {"outcome", "refusal"}});
  }
  families.counter("yuelao_error_responses_total", "Error responses by STUN error code.");
  for (std::size_t slot = 0; slot < turn::error_slots; ++slot) {
    families.value(total(shards, [&](const auto& s) { return s.counters.errors[slot]; }),
                   {{"code", std::to_string(std::to_underlying(turn::error_at(slot)))}});
  }
}

void add_refusals(Families& families, Shards shards) {
  families.counter("yuelao_drops_total", "Messages answered with silence, by reason.");
  for (std::size_t drop = 0; drop < turn::drop_count; ++drop) {
    families.value(total(shards, [&](const auto& s) { return s.counters.drops[drop]; }),
                   {{"reason", std::string{turn::name(static_cast<turn::Drop>(drop))}}});
  }
  families.counter("yuelao_quota_refusals_total", "Allocations refused by a limit, by its scope.")
      .value(total(shards, [](const auto& s) { return s.counters.quota_refused_user; }),
             {{"scope", "user"}})
      .value(total(shards, [](const auto& s) { return s.counters.quota_refused_prefix; }),
             {{"scope", "prefix"}})
      .value(total(shards, [](const auto& s) { return s.counters.quota_refused_total; }),
             {{"scope", "server"}});
}

void add_lifetimes(Families& families, Shards shards) {
  families.counter("yuelao_allocations_created_total", "Allocations created.")
      .value(total(shards, [](const auto& s) { return s.counters.allocations_created; }));
  families
      .counter("yuelao_allocations_expired_total",
               "Allocations that ended because the client stopped refreshing them.")
      .value(total(shards, [](const auto& s) { return s.counters.allocations_expired; }));
  families
      .counter(
          "yuelao_allocations_revoked_total",
          "Allocations ended by a reload: their credential is not configured any more, or their "
          "user denied.")
      .value(total(shards, [](const auto& s) { return s.counters.allocations_revoked; }));
  families
      .counter("yuelao_allocations_moved_total",
               "Allocations that followed their client to a new address (RFC 8016).")
      .value(total(shards, [](const auto& s) { return s.counters.allocations_moved; }));
}

void add_handshakes(Families& families, Shards shards) {
  families.counter("yuelao_tls_handshakes_total", "TLS and DTLS handshakes by result.");
  const auto add = [&](Transport transport, std::string result, std::uint64_t Meters::* count) {
    families.value(total(shards, [=](const auto& s) { return s.meters.*count; }),
                   {{"transport", std::string{name(transport)}}, {"result", std::move(result)}});
  };
  add(Transport::tls, "success", &Meters::tls_handshakes_succeeded);
  add(Transport::tls, "failure", &Meters::tls_handshakes_failed);
  add(Transport::dtls, "success", &Meters::dtls_handshakes_succeeded);
  add(Transport::dtls, "failure", &Meters::dtls_handshakes_failed);
  families
      .counter("yuelao_dtls_challenges_total",
               "DTLS clients that were asked to show that they are at their address.")
      .value(total(shards, [](const auto& s) { return s.meters.dtls_challenges; }));
}

void add_connections(Families& families, Shards shards) {
  const auto accepted = [](const auto& s) {
    return s.meters.connections_accepted + s.meters.associations_accepted;
  };
  const auto refused = [](const auto& s) {
    return s.meters.connections_refused + s.meters.associations_refused;
  };
  const auto crowded_out = [](const auto& s) {
    return s.meters.connections_crowded_out + s.meters.associations_crowded_out;
  };
  families.counter("yuelao_connections_total", "TCP, TLS and DTLS client connections by outcome.")
      .value(total(shards, accepted), {{"outcome", "accepted"}})
      .value(total(shards, refused), {{"outcome", "refused"}})
      .value(total(shards, crowded_out), {{"outcome", "crowded_out"}});
  families
      .counter("yuelao_web_connections_total",
               "Connections on a shared port that went to the web server.")
      .value(total(shards, [](const auto& s) { return s.meters.web_passed; }), {{"way", "tls"}})
      .value(total(shards, [](const auto& s) { return s.meters.web_decrypted; }),
             {{"way", "plain"}});
  families
      .counter("yuelao_web_unreachable_total",
               "Connections for the web server that it did not take.")
      .value(total(shards, [](const auto& s) { return s.meters.web_unreachable; }));
  families
      .counter(
          "yuelao_proxy_headers_refused_total",
          "Connections from a listed proxy that began with half a PROXY header or a broken one.")
      .value(total(shards, [](const auto& s) { return s.meters.proxy_headers_refused; }));
  add_handshakes(families, shards);
  families
      .counter("yuelao_receive_buffer_overflows_total",
               "Datagrams the kernel dropped because a socket's receive buffer was full.")
      .value(total(shards, [](const auto& s) { return s.meters.receive_overflows; }));
}

void add_rounds(Families& families, Shards shards) {
  ClientMetric::Histogram histogram;
  for (std::size_t bucket = 0; bucket <= round_bounds.size(); ++bucket) {
    histogram.sample_count +=
        total(shards, [&](const auto& shard) { return shard.meters.rounds[bucket]; });
    const double bound = bucket < round_bounds.size() ? round_bounds[bucket]
                                                      : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  for (const auto& shard : shards) histogram.sample_sum += shard.meters.round_seconds;
  families
      .family(MetricType::Histogram, "yuelao_round_duration_seconds",
              "Time from a shard's waking up to its having sent everything.")
      .histogram(histogram);
}

void add_facts(Families& families, Shards shards, const ServerFacts& facts) {
  families.gauge("yuelao_build_info", "Always 1; the version is a label.")
      .value(1, {{"version", facts.version}});
  families.gauge("yuelao_shards", "Threads that serve clients.").value(shards.size());
  families.gauge("yuelao_sandbox", "1 for each layer of the sandbox that holds.");
  for (std::size_t i = 0; i < sandbox_layers; ++i) {
    families.value(facts.sandbox.active[i] ? 1 : 0,
                   {{"layer", std::string{name(static_cast<SandboxLayer>(i))}}});
  }
  families
      .counter("yuelao_log_lines_lost_total",
               "Log lines that could not be written (disk full, stderr closed).")
      .value(facts.lost_log_lines);
  families
      .counter("yuelao_address_changes_total",
               "Times that the address new relays are told changed.")
      .value(facts.address_changes);
  families
      .counter("yuelao_address_check_failures_total",
               "Look-ups of the public address that nobody answered.")
      .value(facts.address_check_failures);
  if (facts.certificate_expiry) {
    families
        .gauge("yuelao_certificate_expiry_timestamp_seconds",
               "When the TLS certificate in use stops being valid, as Unix time.")
        .value(facts.certificate_expiry->time_since_epoch().count());
  }
}

void add_credentials(Families& families, const CredentialCounters& counters) {
  constexpr std::array<std::string_view, credential_outcomes> outcomes = {
      "issued", "misunderstood", "wrong_key", "too_many", "failed"};
  families.counter("yuelao_credential_requests_total",
                   "Requests for credentials over HTTP by outcome.");
  for (std::size_t slot = 0; slot < outcomes.size(); ++slot) {
    families.value(counters[slot], {{"outcome", std::string{outcomes[slot]}}});
  }
}

void add_process(Families& families) {
  const auto process = read_process_metrics();
  families.counter("process_cpu_seconds_total", "User and system CPU time spent.")
      .value(process.cpu_seconds);
  families.gauge("process_resident_memory_bytes", "Resident memory.")
      .value(process.resident_memory_bytes);
  families.gauge("process_open_fds", "Open file descriptors.").value(process.open_descriptors);
  families.gauge("process_max_fds", "Limit of open file descriptors.")
      .value(process.maximum_descriptors);
  families.gauge("process_start_time_seconds", "When the process started, as Unix time.")
      .value(process.start_time_seconds);
}

}  // namespace

std::string metrics_text(std::span<const ShardSnapshot> shards, const ServerFacts& facts) {
  Families families;
  add_gauges(families, shards);
  add_traffic(families, shards);
  add_tcp_traffic(families, shards);
  add_requests(families, shards);
  add_refusals(families, shards);
  add_lifetimes(families, shards);
  add_connections(families, shards);
  add_rounds(families, shards);
  add_facts(families, shards, facts);
  add_credentials(families, facts.credentials);
  add_process(families);
  return families.text();
}

}  // namespace yuelao::server
