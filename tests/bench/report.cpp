#include "tests/bench/report.hpp"

#include <concepts>
#include <ostream>
#include <string_view>

namespace yuelao::bench {
namespace {

// Objects of numbers are all the JSON there is here.
class JsonObject {
 public:
  explicit JsonObject(std::ostream& out) : out_{out} { out_ << '{'; }
  ~JsonObject() { out_ << '}'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  template <class Number>
    requires std::integral<Number> || std::floating_point<Number>
  void add(std::string_view name, Number value) {
    key(name);
    out_ << +value;
  }
  JsonObject object(std::string_view name) {
    key(name);
    return JsonObject{out_};
  }

 private:
  void key(std::string_view name) {
    out_ << separator_ << '"' << name << "\":";
    separator_ = ",";
  }

  std::ostream& out_;
  std::string_view separator_;
};

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>{duration}.count();
}

double ratio(double dividend, std::uint64_t divisor) {
  return divisor == 0 ? 0 : dividend / static_cast<double>(divisor);
}

double per_second(std::uint64_t count, std::chrono::nanoseconds duration) {
  return duration.count() == 0 ? 0 : static_cast<double>(count) / seconds(duration);
}

void write_set_up(const Report& report, JsonObject object) {
  const auto& set_up = report.set_up;
  const auto cpu = report.idle.cpu - report.before.cpu;
  const auto grown = static_cast<double>(report.idle.resident_bytes) -
                     static_cast<double>(report.before.resident_bytes);
  object.add("finished", set_up.finished);
  object.add("refused", set_up.refused);
  object.add("last_refusal", set_up.refusal);
  object.add("retransmissions", set_up.retransmissions);
  object.add("wall_s", seconds(set_up.wall));
  object.add("per_second", per_second(set_up.finished, set_up.wall));
  object.add("server_cpu_s", seconds(cpu));
  object.add("server_cpu_us_per_allocation", ratio(seconds(cpu) * 1e6, set_up.finished));
  object.add("resident_before_bytes", report.before.resident_bytes);
  object.add("resident_idle_bytes", report.idle.resident_bytes);
  object.add("resident_bytes_per_allocation", ratio(grown, set_up.finished));
}

void write_traffic(const Traffic& traffic, JsonObject object) {
  object.add("sent", traffic.sent);
  object.add("delivered", traffic.delivered);
  object.add("lost", traffic.lost());
  object.add("duplicated", traffic.duplicated);
}

void write_load(const Report& report, JsonObject object) {
  const auto& load = report.load;
  const auto cpu = report.loaded.cpu - report.idle.cpu;
  const auto system = report.loaded.system - report.idle.system;
  const auto delivered = load.to_peer.delivered + load.to_client.delivered;
  object.add("sent", load.to_peer.sent + load.to_client.sent);
  object.add("delivered", delivered);
  object.add("lost", load.to_peer.lost() + load.to_client.lost());
  object.add("duplicated", load.to_peer.duplicated + load.to_client.duplicated);
  object.add("corrupted", load.corrupted);
  object.add("wall_s", seconds(load.wall));
  object.add("delivered_per_second", per_second(delivered, load.wall));
  object.add("server_cpu_s", seconds(cpu));
  object.add("server_system_cpu_s", seconds(system));
  object.add("server_cpu_ns_per_packet", ratio(seconds(cpu) * 1e9, delivered));
  write_traffic(load.to_peer, object.object("to_peer"));
  write_traffic(load.to_client, object.object("to_client"));
}

}  // namespace

void write_json(const Report& report, const Plan& plan, std::ostream& out) {
  {
    JsonObject root{out};
    root.add("allocations", plan.allocations);
    root.add("peers", plan.peers);
    root.add("packet_bytes", plan.packet_bytes);
    root.add("burst", plan.burst);
    root.add("rate", plan.rate);
    write_set_up(report, root.object("set_up"));
    if (plan.packets != 0) write_load(report, root.object("load"));
    root.add("released", report.release.finished);
  }
  out << '\n';
}

}  // namespace yuelao::bench
