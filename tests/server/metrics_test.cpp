#include "server/metrics.hpp"

#include <chrono>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/server/metrics_sample.hpp"

namespace yuelao::server::metrics_test {
namespace {

// "name{labels}" -> value, without the comments.
std::map<std::string, double> series_of(const std::string& text) {
  std::map<std::string, double> series;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto space = line.rfind(' ');
    const auto [at, inserted] =
        series.emplace(line.substr(0, space), std::stod(line.substr(space)));
    CAPTURE(line);
    CHECK(inserted);
  }
  return series;
}

TEST_CASE("every shard counts, and every number is in its place") {
  const auto shards = sample_shards();
  const auto& [counters, gauges, meters] = shards.front();
  auto series = series_of(metrics_text(shards, sample_facts()));
  const auto twice = [](std::uint64_t value) { return 2 * static_cast<double>(value); };

  CHECK(series[R"(yuelao_requests_total{method="allocate",outcome="success"})"] ==
        twice(counters.requests_succeeded[turn::slot(stun::Method::allocate)]));
  CHECK(series[R"(yuelao_requests_total{method="other",outcome="refusal"})"] ==
        twice(counters.requests_refused.back()));
  CHECK(series[R"(yuelao_error_responses_total{code="438"})"] ==
        twice(counters.errors[turn::slot(stun::ErrorCode::stale_nonce)]));
  CHECK(series[R"(yuelao_drops_total{reason="malformed"})"] == twice(counters.drops.front()));
  CHECK(series[R"(yuelao_drops_total{reason="new_peer"})"] == twice(counters.drops.back()));
  CHECK(series[R"(yuelao_relayed_packets_total{direction="client_to_peer"})"] ==
        twice(counters.client_to_peer.packets));
  CHECK(series[R"(yuelao_relayed_bytes_total{direction="client_to_peer"})"] ==
        twice(counters.client_to_peer.bytes));
  CHECK(series[R"(yuelao_relayed_packets_total{direction="peer_to_client"})"] ==
        twice(counters.peer_to_client.packets));
  CHECK(series[R"(yuelao_relayed_bytes_total{direction="peer_to_client"})"] ==
        twice(counters.peer_to_client.bytes));
  CHECK(series["yuelao_allocations_created_total"] == twice(counters.allocations_created));
  CHECK(series["yuelao_allocations_expired_total"] == twice(counters.allocations_expired));
  CHECK(series["yuelao_allocations_revoked_total"] == twice(counters.allocations_revoked));
  CHECK(series["yuelao_allocations_moved_total"] == twice(counters.allocations_moved));
  CHECK(series[R"(yuelao_quota_refusals_total{scope="user"})"] ==
        twice(counters.quota_refused_user));
  CHECK(series[R"(yuelao_quota_refusals_total{scope="prefix"})"] ==
        twice(counters.quota_refused_prefix));
  CHECK(series[R"(yuelao_quota_refusals_total{scope="server"})"] ==
        twice(counters.quota_refused_total));

  std::uint64_t sessions = 0;
  for (const auto& families : gauges.allocations) sessions += families[0] + families[1];
  CHECK(series["yuelao_sessions"] == twice(sessions));
  CHECK(series[R"(yuelao_allocations{transport="udp",family="ipv4"})"] ==
        twice(gauges.allocations[0][0]));
  CHECK(series[R"(yuelao_allocations{transport="tls",family="ipv6"})"] ==
        twice(gauges.allocations[2][1]));
  CHECK(series["yuelao_mobile_allocations"] == twice(gauges.mobile));
  CHECK(series["yuelao_permissions"] == twice(gauges.permissions));
  CHECK(series["yuelao_channels"] == twice(gauges.channels));

  CHECK(series[R"(yuelao_peer_connections{state="connecting"})"] ==
        twice(gauges.peer_connections[0]));
  CHECK(series[R"(yuelao_peer_connections{state="bound"})"] == twice(gauges.peer_connections[2]));
  CHECK(series[R"(yuelao_tcp_relayed_bytes_total{direction="client_to_peer"})"] ==
        twice(counters.tcp_client_to_peer_bytes));
  CHECK(series[R"(yuelao_tcp_relayed_bytes_total{direction="peer_to_client"})"] ==
        twice(counters.tcp_peer_to_client_bytes));
  CHECK(series[R"(yuelao_peer_connections_total{by="client"})"] ==
        twice(counters.peer_connections_made));
  CHECK(series[R"(yuelao_peer_connections_total{by="peer"})"] ==
        twice(counters.peer_connections_accepted));

  CHECK(series["yuelao_open_connections"] == twice(meters.connections_open));
  CHECK(series[R"(yuelao_connections_total{outcome="accepted"})"] ==
        twice(meters.connections_accepted + meters.associations_accepted));
  CHECK(series[R"(yuelao_connections_total{outcome="crowded_out"})"] ==
        twice(meters.connections_crowded_out + meters.associations_crowded_out));
  CHECK(series[R"(yuelao_connections_total{outcome="refused"})"] ==
        twice(meters.connections_refused + meters.associations_refused));
  CHECK(series[R"(yuelao_tls_handshakes_total{transport="tls",result="success"})"] ==
        twice(meters.tls_handshakes_succeeded));
  CHECK(series[R"(yuelao_tls_handshakes_total{transport="tls",result="failure"})"] ==
        twice(meters.tls_handshakes_failed));
  CHECK(series[R"(yuelao_tls_handshakes_total{transport="dtls",result="success"})"] ==
        twice(meters.dtls_handshakes_succeeded));
  CHECK(series[R"(yuelao_tls_handshakes_total{transport="dtls",result="failure"})"] ==
        twice(meters.dtls_handshakes_failed));
  CHECK(series["yuelao_dtls_challenges_total"] == twice(meters.dtls_challenges));
  CHECK(series["yuelao_receive_buffer_overflows_total"] == twice(meters.receive_overflows));
}

TEST_CASE("the round histogram is cumulative and ends with everything") {
  const auto shards = sample_shards();
  const auto& rounds = shards.front().meters.rounds;
  auto series = series_of(metrics_text(shards, sample_facts()));
  std::uint64_t all = 0;
  for (const auto count : rounds) all += 2 * count;
  CHECK(series[R"(yuelao_round_duration_seconds_bucket{le="0.001"})"] ==
        static_cast<double>(all - 2 * (rounds[7] + rounds[8] + rounds[9] + rounds[10])));
  CHECK(series[R"(yuelao_round_duration_seconds_bucket{le="+Inf"})"] == static_cast<double>(all));
  CHECK(series["yuelao_round_duration_seconds_count"] == static_cast<double>(all));
  CHECK(series["yuelao_round_duration_seconds_sum"] == 1.5);
}

TEST_CASE("what is known of the process and the build is told") {
  auto facts = sample_facts();
  facts.sandbox.active.back() = true;
  auto series = series_of(metrics_text(sample_shards(), facts));
  CHECK(series[R"(yuelao_build_info{version="1.2.3"})"] == 1);
  CHECK(series["yuelao_shards"] == 2);
  CHECK(series[R"(yuelao_sandbox{layer="files"})"] == 1);
  CHECK(series[R"(yuelao_sandbox{layer="system_calls"})"] == 0);
  CHECK(series["yuelao_log_lines_lost_total"] == 7);
  CHECK(series["yuelao_certificate_expiry_timestamp_seconds"] == 1'900'000'000);
  CHECK(series["process_resident_memory_bytes"] > 1'000'000);
  CHECK(series["process_cpu_seconds_total"] > 0);
  CHECK(series["process_open_fds"] >= 3);
  CHECK(series["process_max_fds"] >= series["process_open_fds"]);
  const auto now =
      std::chrono::duration<double>{std::chrono::system_clock::now().time_since_epoch()};
  CHECK(series["process_start_time_seconds"] > now.count() - 600);
  CHECK(series["process_start_time_seconds"] < now.count() + 2);
}

TEST_CASE("without TLS there is no certificate to expire") {
  CHECK(metrics_text({}, {"1.2.3", std::nullopt, 0}).find("certificate") == std::string::npos);
}

TEST_CASE("labels come from a fixed list, none of which can hold an address or a user name") {
  const std::set<std::string> known = {"transport", "family",  "direction", "method", "outcome",
                                       "code",      "reason",  "scope",     "result", "layer",
                                       "le",        "version", "way",       "state",  "by"};
  for (const auto& [series, value] : series_of(metrics_text(sample_shards(), sample_facts()))) {
    const auto brace = series.find('{');
    if (brace == std::string::npos) continue;
    std::istringstream labels{series.substr(brace + 1)};
    for (std::string label; std::getline(labels, label, ',');) {
      CAPTURE(label);
      CHECK(known.contains(label.substr(0, label.find('='))));
    }
  }
}

}  // namespace
}  // namespace yuelao::server::metrics_test
