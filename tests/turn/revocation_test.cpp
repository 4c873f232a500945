// Credentials that are taken away: nobody is let in by them any more, and what they hold ends.

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "protocol/stun/attributes.hpp"
#include "tests/turn/world.hpp"

namespace yuelao::turn::test::revocation_test {
namespace {

using Change = std::function<void(Options&)>;

Change denying(const std::string& name) {
  return [name](Options& options) { options.credentials.denied_users = {name}; };
}

// Whoever has a call.
struct Callers {
  Callers() {
    bob.user = "bob";
    bob.password = "builder";
    use_rest(old_rest, "old-secret", rest_name(world, 60s, ":carol"));
    use_rest(new_rest, "new-secret", rest_name(world, 60s, ":carol"));
    use_rest(other, "new-secret", rest_name(world, 60s, ":dave"));
    use_rest(nameless, "new-secret", rest_name(world, 60s, ""));
    for (auto* const client : all) client->allocate();
  }

  // Of `all`, in their order, whose relay the new options end: "bob, dave".
  std::string ended_by(const Change& change) {
    Options options = default_options();
    change(options);
    world.reconfigure(options);
    std::string ended;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (std::ranges::count(world.closed, all[i]->relay) == 0) continue;
      ended += (ended.empty() ? "" : ", ") + std::string{names[i]};
    }
    return ended;
  }

  World world;
  Client alice{world, "203.0.112.9:1"};
  Client bob{world, "203.0.112.9:2"};
  Client old_rest{world, "203.0.112.9:3"};
  Client new_rest{world, "203.0.112.9:4"};
  Client other{world, "203.0.112.9:5"};
  Client nameless{world, "203.0.112.9:6"};
  std::array<Client*, 6> all{&alice, &bob, &old_rest, &new_rest, &other, &nameless};
  static constexpr std::array<std::string_view, 6> names{"alice",       "bob",  "carol's old",
                                                         "carol's new", "dave", "nameless"};
};

}  // namespace

TEST_CASE("what a credential holds ends with it, and nothing else does") {
  REQUIRE(default_options().credentials.users.size() == 2);
  const std::string at_expiry = std::to_string(1'800'000'060);
  struct Row {
    std::string_view what;
    Change change;
    std::string_view ended;
  };
  const Row rows[] = {
      {"nothing changes", [](Options&) {}, ""},
      {"a user is gone", [](Options& options) { options.credentials.users.pop_back(); }, "bob"},
      {"a user has another password",
       [](Options& options) { options.credentials.users[1].password = Secret{"changed"}; }, "bob"},
      {"a user has another's password",
       [](Options& options) {
         options.credentials.users = {{"alice", Secret{"wonderland"}}, {"eve", Secret{"builder"}}};
       },
       "bob"},
      {"the users change places",
       [](Options& options) { std::ranges::reverse(options.credentials.users); }, ""},
      {"the old secret is gone",
       [](Options& options) {
         options.credentials.rest_secrets.erase(options.credentials.rest_secrets.begin());
       },
       "carol's old"},
      {"the secrets change places",
       [](Options& options) { std::ranges::reverse(options.credentials.rest_secrets); }, ""},
      {"the secrets are gone", [](Options& options) { options.credentials.rest_secrets.clear(); },
       "carol's old, carol's new, dave, nameless"},
      {"a password becomes a secret",
       [](Options& options) {
         options.credentials.users.pop_back();
         options.credentials.rest_secrets.emplace_back("builder");
       },
       "bob"},
      {"a new user and a new secret",
       [](Options& options) {
         options.credentials.users.push_back({"erin", Secret{"x"}});
         options.credentials.rest_secrets.emplace_back("newest-secret");
       },
       ""},
      {"the realm changes", [](Options& options) { options.realm = "example.org"; }, ""},
      {"credentials may last less long",
       [](Options& options) { options.credentials.longest_rest_lifetime = 1s; }, ""},
      {"a user is denied", denying("alice"), "alice"},
      {"whom REST names are for is denied", denying("carol"), "carol's old, carol's new"},
      {"one REST name is denied", denying(at_expiry + ":dave"), "dave"},
      {"a REST name of an expiry alone is denied", denying(at_expiry), "nameless"},
      {"part of a name is denied", denying("car"), ""},
      {"a name in other letters is denied", denying("Alice"), ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    Callers callers;
    CHECK(callers.ended_by(row.change) == row.ended);
    const auto revoked = callers.world.closed.size();
    CHECK(callers.world.engine.counters().allocations_revoked == revoked);
    CHECK(callers.world.engine.counters().allocations_expired == 0);
    CHECK(callers.world.engine.allocation_count() == callers.all.size() - revoked);
    CHECK(callers.world.quota.total() == callers.all.size() - revoked);
    CHECK(callers.world.engine.consistent());
    for (const auto& notice : callers.world.notices) {
      const bool ended = notice.event != Notice::Event::allocation_created;
      CHECK((!ended || notice.event == Notice::Event::allocation_revoked));
    }
  }
}

TEST_CASE("calls whose credential stands go on over any number of reloads") {
  Callers callers;
  CHECK(callers.ended_by([](Options& options) { options.realm = "example.org"; }).empty());
  CHECK(callers.ended_by([](Options&) {}).empty());
  for (auto* const client : callers.all) CHECK(code_of(client->request(Method::refresh)) == 0);
  // A credential ends when it is taken away, and not when it expires.
  callers.world.pass(100s);
  CHECK(callers.ended_by([](Options&) {}).empty());
  for (auto* const client : callers.all) CHECK(code_of(client->request(Method::refresh)) == 0);
}

TEST_CASE("who was let in by what is no more is a stranger") {
  Callers callers;
  callers.bob.bind(0x4001, "192.0.78.1:1");
  REQUIRE(callers.bob.channel_data(0x4001, "x").size() == 1);
  callers.ended_by([](Options& options) { options.credentials.users.pop_back(); });
  CHECK(callers.bob.channel_data(0x4001, "x").empty());
  CHECK(callers.world.drops(Drop::no_allocation) == 1);
  CHECK(callers.world.from_peer(callers.bob.relay, endpoint("192.0.78.1:1"), "x").empty());
  CHECK(code_of(callers.bob.request(Method::refresh)) == 401);
  CHECK(code_of(callers.bob.request(Method::allocate, requesting_udp())) == 401);
}

TEST_CASE("a denied user is refused as an unknown one is") {
  auto options = default_options();
  options.credentials.denied_users = {"alice", "carol"};
  World world{options};
  Client denied{world, "203.0.112.9:1"};
  Client unknown{world, "203.0.112.9:1"};
  unknown.user = "mallory";
  const auto first = denied.request(Method::allocate, requesting_udp());
  const auto second = unknown.request(Method::allocate, requesting_udp());
  REQUIRE(code_of(first) == 401);
  CHECK(first->bytes == second->bytes);
  use_rest(denied, "new-secret", rest_name(world, 60s, ":carol"));
  CHECK(code_of(denied.request(Method::allocate, requesting_udp())) == 401);
  use_rest(denied, "new-secret", rest_name(world, 60s, ":carol:2"));
  CHECK(code_of(denied.request(Method::allocate, requesting_udp())) == 0);
}

TEST_CASE("what stands behind a colon is nobody's name where no expiry stands before it") {
  auto options = default_options();
  options.credentials.users.emplace_back("room:mallory", Secret{"pw"});
  options.credentials.denied_users = {"mallory"};
  World world{options};
  Client client{world, "203.0.112.9:1"};
  client.user = "room:mallory";
  client.password = "pw";
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 0);
}

TEST_CASE("a denied user's hash is no way in") {
  auto options = default_options();
  options.credentials.rest_secrets.clear();
  options.credentials.denied_users = {"alice"};
  World world{options};
  Client client{world, "203.0.112.9:1"};
  client.anonymous = true;
  client.algorithm = stun::KeyAlgorithm::sha256;
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 401);
  client.user = "bob";
  client.password = "builder";
  CHECK(code_of(client.request(Method::allocate, requesting_udp())) == 0);
}

TEST_CASE("with the credential ends everything that an allocation has") {
  auto options = default_options();
  options.tcp_relays = true;
  options.mobility = true;
  World world{options};
  const auto revoke = [&] {
    options.credentials.denied_users = {"alice"};
    world.reconfigure(options);
    CHECK(world.engine.allocation_count() == 0);
    CHECK(world.quota.total() == 0);
    CHECK(world.roaming.size() == 0);
    CHECK(world.engine.consistent());
    CHECK(world.closed.size() == world.opened.size());
  };
  Client client{world, "203.0.113.5:40000", Transport::tcp};

  SUBCASE("both relays of a dual one") {
    REQUIRE(code_of(client.request(Method::allocate, [](stun::MessageWriter& writer) {
              requesting_udp()(writer);
              writer.add(attribute::additional_address_family, Family::ipv6);
            })) == 0);
    REQUIRE(world.engine.allocation_count() == 2);
    world.reconfigure(options);
    REQUIRE(world.engine.allocation_count() == 2);
    revoke();
    CHECK(world.engine.counters().allocations_revoked == 2);
  }
  SUBCASE("its connections with peers") {
    client.allocate(requesting_tcp());
    const auto answer = client.request(Method::connect, to_peer("192.0.78.1:80"));
    REQUIRE(code_of(answer) == 0);
    revoke();
    CHECK(world.closed_peers.size() == 1);
  }
  SUBCASE("its tickets") {
    const auto answer = client.request(Method::allocate, [](stun::MessageWriter& writer) {
      requesting_udp()(writer);
      writer.add(attribute::mobility_ticket, Bytes{});
    });
    REQUIRE(code_of(answer) == 0);
    const auto ticket = answer->message().get(attribute::mobility_ticket).value();
    revoke();
    options.credentials.denied_users.clear();
    world.reconfigure(options);
    Client moved{world, "203.0.113.6:40000", Transport::tcp};
    CHECK(code_of(moved.request(Method::refresh, [&](stun::MessageWriter& writer) {
            writer.add(attribute::mobility_ticket, ticket);
          })) == 437);
  }
  SUBCASE("one whose relay is being opened, without an answer") {
    world.relays = World::Relays::wait;
    client.request(Method::allocate);
    REQUIRE(code_of(client.request(Method::allocate, requesting_udp())) == -1);
    REQUIRE(world.opening.size() == 1);
    revoke();
    CHECK(world.relay_opened(world.opening[0].id, endpoint("198.51.100.1:50000")).empty());
    CHECK(world.closed.size() == 1);
  }
}

}  // namespace yuelao::turn::test::revocation_test
