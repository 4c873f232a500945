#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace yuelao::server {

// Awaited operations give their error as a value, beside their result.
inline constexpr auto as_result =
    boost::asio::as_tuple_t<boost::asio::use_awaitable_t<>>{boost::asio::use_awaitable};

}  // namespace yuelao::server
