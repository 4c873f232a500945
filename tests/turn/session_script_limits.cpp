// A chapter of the recorded session: how much may be relayed, and said to strangers.

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/turn/session_script.hpp"

namespace yuelao::turn::test {

void meet_limits(Session& session) {
  session.record.remark("Bandwidth (RFC 8656 §5): of an allocation, and divided among all");
  const auto before = session.options.limits;
  session.options.limits.bandwidth_per_allocation = 60;
  session.options.limits.bandwidth = 100;
  session.reconfigure();
  std::vector<Client> clients;
  for (const auto* from : {"203.0.112.12:1", "203.0.112.12:2"}) {
    auto& client = clients.emplace_back(session[0], from);
    client.allocate();
    client.bind(0x4001, "192.0.77.1:1");
  }
  const std::string payload(60, 'x');
  CHECK(clients[0].channel_data(0x4001, payload).size() == 1);
  CHECK(clients[0].channel_data(0x4001, payload).empty());
  CHECK(clients[1].channel_data(0x4001, payload).empty());
  CHECK(session.pass(1s).empty());
  CHECK(clients[0].channel_data(0x4001, payload).empty());
  CHECK(clients[0].channel_data(0x4001, payload.substr(0, 50)).size() == 1);
  for (auto& client : clients) end_allocation(client);

  session.record.remark("New peers: so many addresses and ports of them; and ports of services");
  session.options.limits = before;
  session.options.limits.new_peers_per_allocation = 3;
  session.reconfigure();
  Client scanner{session[0], "203.0.112.14:1"};
  scanner.allocate();
  scanner.permit("192.0.77.1:1");
  CHECK(scanner.send_data("192.0.77.1:1900", payload).empty());
  CHECK(scanner.send_data("192.0.77.1:50001", payload).size() == 1);
  CHECK(scanner.send_data("192.0.77.1:50002", payload).size() == 1);
  CHECK(scanner.send_data("192.0.77.1:50003", payload).empty());
  expect(508, scanner.request(Method::create_permission, to_peer("192.0.77.2:1")));
  end_allocation(scanner);

  session.record.remark("Answers to strangers: so much at once, and more when time has passed");
  session.options.limits = before;
  session.options.limits.strangers = 100;
  session.reconfigure();
  Client stranger{session[1], "203.0.112.13:1"};
  const auto ask = [&stranger] { return stranger.unsigned_request(Method::binding); };
  while (ask()) continue;
  Client stream{session[1], "203.0.112.13:1", Transport::tcp};
  expect(0, stream.unsigned_request(Method::binding));
  CHECK(session.pass(4s).empty());
  expect(0, ask());
  session.options.limits = before;
  session.reconfigure();
}

}  // namespace yuelao::turn::test
