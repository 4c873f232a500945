#include "server/address_watch.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "server/file_descriptor.hpp"
#include "server/log.hpp"

namespace yuelao::server {
namespace {

using namespace std::chrono_literals;

// A DHCP client takes the old address away, sets the new one and then the route.
constexpr auto settling_time = 300ms;

FileDescriptor open_netlink() {
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups =
      RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  FileDescriptor socket{
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)};
  const bool bound = socket.open() && ::bind(socket.value(), reinterpret_cast<sockaddr*>(&groups),
                                             sizeof groups) == 0;
  return bound ? std::move(socket) : FileDescriptor{};
}

// A router has thousands of routes that come and go; where relays are depends on the
// default ones alone.
bool matters(const nlmsghdr& header, std::span<const std::byte> body) {
  if (header.nlmsg_type == RTM_NEWADDR || header.nlmsg_type == RTM_DELADDR) return true;
  if (header.nlmsg_type != RTM_NEWROUTE && header.nlmsg_type != RTM_DELROUTE) return false;
  rtmsg route{};
  if (body.size() < sizeof route) return false;
  std::memcpy(&route, body.data(), sizeof route);
  return route.rtm_dst_len == 0 && route.rtm_table != RT_TABLE_LOCAL;
}

bool any_matters(std::span<const std::byte> messages) {
  nlmsghdr header{};
  while (messages.size() >= sizeof header) {
    std::memcpy(&header, messages.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > messages.size()) return false;
    if (matters(header, messages.first(header.nlmsg_len).subspan(sizeof header))) return true;
    const std::size_t aligned = (header.nlmsg_len + 3U) & ~std::size_t{3};
    if (aligned >= messages.size()) return false;
    messages = messages.subspan(aligned);
  }
  return false;
}

}  // namespace

AddressWatch::AddressWatch(boost::asio::io_context& io, Look look)
    : look_{std::move(look)}, kernel_{io}, settling_{io}, time_{io} {
  auto socket = open_netlink();
  if (!socket.open()) {
    log_warning("the kernel does not tell of changed addresses, they are only looked up in turn",
                {{"reason", public_text(std::strerror(errno))}});
    return;
  }
  kernel_.assign(socket.release());
  wait_for_kernel();
}

void AddressWatch::look_every(std::chrono::seconds interval) {
  if (interval == interval_) return;
  interval_ = interval;
  time_.cancel();
  if (interval_ > 0s) wait_for_time();
}

void AddressWatch::wait_for_time() {
  time_.expires_after(interval_);
  time_.async_wait([this](Error error) {
    if (error) return;
    look_(Occasion::time);
    wait_for_time();
  });
}

void AddressWatch::wait_for_kernel() {
  kernel_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](Error error) {
    if (error) return;
    read_news();
    wait_for_kernel();
  });
}

void AddressWatch::read_news() {
  bool changed = false;
  for (ssize_t size = 0; size >= 0;) {
    size = ::recv(kernel_.native_handle(), news_.data(), news_.size(), 0);
    if (size > 0) changed |= any_matters(std::span{news_}.first(static_cast<std::size_t>(size)));
    // More news than the kernel kept: nobody knows what was among them.
    if (size < 0 && errno == ENOBUFS) {
      changed = true;
      size = 0;
    }
  }
  if (!changed || std::exchange(unsettled_, true)) return;
  settling_.expires_after(settling_time);
  settling_.async_wait([this](Error error) {
    unsettled_ = false;
    if (!error) look_(Occasion::kernel);
  });
}

}  // namespace yuelao::server
