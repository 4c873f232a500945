#include "server/memory_reserve.hpp"

#include <new>
#include <stdexcept>

#include <doctest/doctest.h>

#include "server/connection_limit.hpp"
#include "server/shared_quota.hpp"

namespace yuelao::server::memory_reserve_test {
namespace {

const IpAddress client = IpAddress::v4({192, 0, 2, 1});

}  // namespace

TEST_CASE("without memory new work is refused until there is some again") {
  SharedQuota quota{turn::Limits{}};
  ConnectionLimit connections{{.all = 10}};
  memory_reserve::set_aside();
  const auto handler = std::get_new_handler();
  if (handler == nullptr) throw std::logic_error{"no handler"};
  CHECK_FALSE(memory_reserve::used());
  CHECK(quota.admit("alice", client) == turn::Admission::admitted);
  CHECK(connections.admit(client));

  // As operator new does. The reserve is there once.
  handler();
  CHECK_THROWS_AS(handler(), std::bad_alloc);
  CHECK(memory_reserve::used());
  CHECK(quota.admit("alice", client) == turn::Admission::server_full);
  CHECK(quota.admit_connection("alice") == turn::Admission::server_full);
  CHECK_FALSE(connections.admit(client));
  // What is there already ends as it always does.
  quota.release("alice", client);

  memory_reserve::look_after();
  CHECK_FALSE(memory_reserve::used());
  CHECK(quota.admit("alice", client) == turn::Admission::admitted);
  CHECK(connections.admit(client));
  handler();
  memory_reserve::look_after();
  std::set_new_handler(nullptr);
}

}  // namespace yuelao::server::memory_reserve_test
