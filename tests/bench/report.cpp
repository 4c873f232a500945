#include "tests/bench/report.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

namespace yuelao::bench {
namespace {

using Json = nlohmann::ordered_json;

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>{duration}.count();
}

double ratio(double dividend, std::uint64_t divisor) {
  return divisor == 0 ? 0 : dividend / static_cast<double>(divisor);
}

double per_second(std::uint64_t count, std::chrono::nanoseconds duration) {
  return duration.count() == 0 ? 0 : static_cast<double>(count) / seconds(duration);
}

Json json_of(const HandshakeResult& result, std::chrono::nanoseconds cpu) {
  return {{"finished", result.finished},
          {"refused", result.refused},
          {"last_refusal", result.refusal},
          {"retransmissions", result.retransmissions},
          {"wall_s", seconds(result.wall)},
          {"per_second", per_second(result.finished, result.wall)},
          {"server_cpu_s", seconds(cpu)},
          {"server_cpu_us_per_allocation", ratio(seconds(cpu) * 1e6, result.finished)}};
}

Json set_up_json(const Report& report) {
  auto json = json_of(report.set_up, report.idle.cpu - report.before.cpu);
  const auto grown = static_cast<double>(report.idle.resident_bytes) -
                     static_cast<double>(report.before.resident_bytes);
  json["resident_before_bytes"] = report.before.resident_bytes;
  json["resident_idle_bytes"] = report.idle.resident_bytes;
  json["resident_bytes_per_allocation"] = ratio(grown, report.set_up.finished);
  return json;
}

Json json_of(const Traffic& traffic) {
  return {{"sent", traffic.sent},
          {"delivered", traffic.delivered},
          {"lost", traffic.lost()},
          {"duplicated", traffic.duplicated}};
}

// `share` of the packets were not later than this.
double delay_us(const std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto last = static_cast<double>(sorted.size() - 1);
  return static_cast<double>(sorted[static_cast<std::size_t>(share * last)]) / 1e3;
}

Json load_json(const Report& report) {
  const auto& load = report.load;
  const auto cpu = report.loaded.cpu - report.idle.cpu;
  const auto delivered = load.to_peer.delivered + load.to_client.delivered;
  return {{"sent", load.to_peer.sent + load.to_client.sent},
          {"delivered", delivered},
          {"lost", load.to_peer.lost() + load.to_client.lost()},
          {"duplicated", load.to_peer.duplicated + load.to_client.duplicated},
          {"corrupted", load.corrupted},
          {"wall_s", seconds(load.wall)},
          {"delivered_per_second", per_second(delivered, load.wall)},
          {"server_cpu_s", seconds(cpu)},
          {"server_system_cpu_s", seconds(report.loaded.system - report.idle.system)},
          {"server_cpu_ns_per_packet", ratio(seconds(cpu) * 1e9, delivered)},
          {"resident_bytes", report.loaded.resident_bytes},
          {"delay_us",
           {{"p50", delay_us(load.delays, 0.5)},
            {"p99", delay_us(load.delays, 0.99)},
            {"p99.9", delay_us(load.delays, 0.999)}}},
          {"to_peer", json_of(load.to_peer)},
          {"to_client", json_of(load.to_client)}};
}

}  // namespace

void write_json(const Report& report, const Plan& plan, std::ostream& out) {
  Json json{{"allocations", plan.allocations},
            {"peers", plan.peers},
            {"packet_bytes", plan.packet_bytes},
            {"burst", plan.burst},
            {"rate", plan.rate}};
  json["set_up"] = set_up_json(report);
  if (plan.packets != 0) json["load"] = load_json(report);
  json["release"] = json_of(report.release, report.released.cpu - report.loaded.cpu);
  out << json.dump() << '\n';
}

}  // namespace yuelao::bench
