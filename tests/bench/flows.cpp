#include "tests/bench/flows.hpp"

#include <netinet/in.h>

#include <array>
#include <cstring>

#include "tests/bench/hello.hpp"

namespace yuelao::bench {
namespace {

std::uint64_t key(const KernelAddress& address) {
  sockaddr_in in{};
  std::memcpy(&in, &address.storage, sizeof in);
  return std::uint64_t{in.sin_addr.s_addr} << 16U | in.sin_port;
}

}  // namespace

const Flow* Flows::of(const KernelAddress& client) const {
  const auto known = by_client_.find(key(client));
  return known == by_client_.end() ? nullptr : &flows_[known->second];
}

const Flow* Flows::welcome(const KernelAddress& client, Bytes datagram) {
  const auto peer = read_hello(datagram);
  if (!peer) return nullptr;
  const auto number = static_cast<std::uint32_t>(flows_.size());
  flows_.push_back({number, UdpSocket{{address_, 0}, merge_}, client, kernel_address(*peer)});
  by_client_[key(client)] = number;
  std::array<std::byte, 16> answer;
  listener_.send(write_hello(flows_.back().relay.local(), answer), endpoint_of(client));
  return &flows_.back();
}

}  // namespace yuelao::bench
