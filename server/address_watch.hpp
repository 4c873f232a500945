#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace yuelao::server {

// Says when this machine's addresses may have changed: when the kernel tells of an
// address or a default route that came or went (rtnetlink), a moment later, so that what
// changes together is looked at once; and, as nobody tells of a router's address or a
// host name's, every so often.
class AddressWatch {
 public:
  enum class Occasion : std::uint8_t { kernel, time };
  using Look = std::function<void(Occasion)>;

  AddressWatch(boost::asio::io_context& io, Look look);

  // 0: only when the kernel tells of something.
  void look_every(std::chrono::seconds interval);

 private:
  using Error = boost::system::error_code;

  void wait_for_kernel();
  void read_news();
  void wait_for_time();

  Look look_;
  boost::asio::posix::stream_descriptor kernel_;
  boost::asio::steady_timer settling_;
  boost::asio::steady_timer time_;
  std::chrono::seconds interval_{0};
  bool unsettled_ = false;
  std::array<std::byte, 16384> news_{};
};

}  // namespace yuelao::server
