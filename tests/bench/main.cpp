// A load generator for TURN servers: sets up allocations, relays packets, and reports what
// that cost the server, as one JSON object.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/bindings.hpp"
#include "tests/bench/handshakes.hpp"
#include "tests/bench/load.hpp"
#include "tests/bench/plan.hpp"
#include "tests/bench/process_usage.hpp"
#include "tests/bench/report.hpp"

namespace yuelao::bench {
namespace {

template <class T>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, T& value, const std::string& help) {
  return app
      .add_option_function<std::string>(
          name, [&value](const std::string& text) { value = T::parse(text).value(); }, help)
      ->check([](const std::string& text) {
        return T::parse(text) ? std::string{} : "not an address: " + text;
      });
}

void add_options(CLI::App& app, Plan& plan) {
  const std::map<std::string, Direction> directions{{"to-peer", Direction::to_peer},
                                                    {"to-client", Direction::to_client},
                                                    {"both", Direction::both},
                                                    {"between-clients", Direction::between_clients},
                                                    {"binding", Direction::binding}};
  const std::map<std::string, Transport> transports{
      {"udp", Transport::udp}, {"tcp", Transport::tcp}, {"tls", Transport::tls}};
  const std::map<std::string, Envelope> envelopes{{"channel-data", Envelope::channel_data},
                                                  {"indication", Envelope::indication},
                                                  {"bare", Envelope::bare}};
  const std::map<std::string, Pattern> patterns{{"turns", Pattern::turns},
                                                {"meeting", Pattern::meeting}};
  add_parsed(app, "--server", plan.server, "the server's listener, ADDRESS:PORT")->required();
  add_parsed(app, "--local", plan.local, "the address of clients and peers")->required();
  app.add_option("--pid", plan.server_pid, "the server's process")->required();
  // A made-up account of a server that was started for the measurement; nothing to hide.
  app.add_option("--user", plan.user)->required();
  app.add_option("--password", plan.password)->required();
  app.add_option("--transport", plan.transport, "of the clients: udp, tcp or tls")
      ->transform(CLI::CheckedTransformer(transports));
  app.add_option("--allocations", plan.allocations, "how many, each with its own five-tuple")
      ->check(CLI::Range(1, 19'000));
  app.add_option("--peers", plan.peers, "peer sockets that the allocations share")
      ->check(CLI::Range(1, 9000));
  app.add_option("--handshakes", plan.handshakes, "allocations being set up at the same time")
      ->check(CLI::Range(1, 9000));
  app.add_option("--packet-bytes", plan.packet_bytes, "payload of a packet")
      ->check(CLI::Range(24, 1400));
  app.add_option("--direction", plan.direction,
                 "to-peer, to-client, both, between-clients or binding")
      ->transform(CLI::CheckedTransformer(directions));
  app.add_option("--envelope", plan.envelope, "channel-data, indication, or bare for `forwarder`")
      ->transform(CLI::CheckedTransformer(envelopes));
  app.add_option("--pattern", plan.pattern, "turns, or meeting: audio and video of participants")
      ->transform(CLI::CheckedTransformer(patterns));
  app.add_option("--burst", plan.burst, "packets of one flow back to back")
      ->check(CLI::Range(1, 40));
  app.add_option("--packets", plan.packets, "packets in all; 0: only set up")
      ->check(CLI::Range(0, 100'000'000));
  app.add_option("--rate", plan.rate, "packets a second; 0: as fast as --window allows");
  app.add_option("--window", plan.window, "packets on their way when there is no rate")
      ->check(CLI::Range(1, 100'000));
  app.add_option_function<unsigned>(
      "--limit", [&plan](unsigned s) { plan.limit = std::chrono::seconds{s}; },
      "seconds after which a phase ends, however far it came");
}

std::vector<UdpSocket> open_peers(const Plan& plan) {
  std::vector<UdpSocket> peers;
  peers.reserve(plan.peers);
  for (std::uint32_t i = 0; i < std::min(plan.peers, plan.allocations); ++i)
    peers.emplace_back(Endpoint{plan.local, 0});
  return peers;
}

std::vector<Caller> open_callers(const Plan& plan, const std::vector<UdpSocket>& peers) {
  std::vector<Caller> callers;
  callers.reserve(plan.allocations);
  const Account account{plan.user, plan.password};
  for (std::uint32_t i = 0; i < plan.allocations; ++i) {
    callers.push_back({TurnClient{i, account, plan.envelope}, open_link(plan)});
    callers[i].client.set_peer(peers[i % peers.size()].local());
  }
  return callers;
}

// Two and two are each other's peers, once they know the other's relay.
HandshakeResult set_up(const Plan& plan, Handshakes& handshakes, std::vector<Caller>& callers) {
  if (plan.direction == Direction::binding) return {.finished = plan.allocations};
  if (plan.direction != Direction::between_clients) {
    return handshakes.run_to(TurnClient::Stage::ready, plan.limit);
  }
  auto first = handshakes.run_to(TurnClient::Stage::permit, plan.limit);
  if (first.finished != callers.size()) return first;
  for (std::size_t i = 0; i < callers.size(); ++i) {
    const auto other = std::min(i ^ 1U, callers.size() - 1);
    callers[i].client.set_peer(callers[other].client.relayed());
  }
  auto second = handshakes.run_to(TurnClient::Stage::ready, plan.limit);
  second.wall += first.wall;
  return second;
}

LoadResult load(const Plan& plan, std::vector<Caller>& callers, std::vector<UdpSocket>& peers) {
  if (plan.direction == Direction::binding) return load_bindings(plan, callers);
  return Load{plan, callers, peers}.run();
}

bool allocates(const Plan& plan) {
  return plan.envelope != Envelope::bare && plan.direction != Direction::binding;
}

Report measure(const Plan& plan) {
  auto peers = open_peers(plan);
  auto callers = open_callers(plan, peers);
  Handshakes handshakes{callers, plan.handshakes};
  Report report;
  report.before = ProcessUsage::of(plan.server_pid);
  report.set_up = set_up(plan, handshakes, callers);
  report.idle = ProcessUsage::of(plan.server_pid);
  const bool ready = report.set_up.finished == plan.allocations;
  if (ready && plan.packets != 0) report.load = load(plan, callers, peers);
  report.loaded = ProcessUsage::of(plan.server_pid);
  if (ready && allocates(plan)) {
    for (auto& caller : callers) caller.client.release();
    report.release = handshakes.run_to(TurnClient::Stage::released, plan.limit);
  }
  report.released = ProcessUsage::of(plan.server_pid);
  return report;
}

int run(int argc, char** argv) {
  Plan plan;
  CLI::App app{"Loads a TURN server and reports what that cost it."};
  add_options(app, plan);
  CLI11_PARSE(app, argc, argv);
  const auto report = measure(plan);
  write_json(report, plan, std::cout);
  if (report.set_up.finished == plan.allocations) return EXIT_SUCCESS;
  std::cerr << "yuelao-bench: only " << report.set_up.finished << " of " << plan.allocations
            << " allocations were set up (last error code " << report.set_up.refusal << ")\n";
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace yuelao::bench

int main(int argc, char** argv) {
  try {
    return yuelao::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "yuelao-bench: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
