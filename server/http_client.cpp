#include "server/http_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "server/as_result.hpp"

namespace yuelao::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

using Parser = http::response_parser<http::string_body>;

constexpr std::uint64_t longest_answer_bytes = 1UL << 20;

asio::awaitable<error_code> ask(beast::tcp_stream& stream, asio::ip::tcp::endpoint at,
                                const http::request<http::empty_body>& request, Parser& answer) {
  if (const auto [error] = co_await stream.async_connect(at, as_result); error) co_return error;
  if (const auto [error, sent] = co_await http::async_write(stream, request, as_result); error) {
    co_return error;
  }
  beast::flat_buffer buffer;
  if (const auto [error, read] =
          co_await http::async_read_header(stream, buffer, answer, as_result);
      error) {
    co_return error;
  }
  // As of a request (http_refusal()): who has the port may be anybody on this machine.
  if (answer.chunked()) co_return http::error::bad_transfer_encoding;
  const auto [error, read] = co_await http::async_read(stream, buffer, answer, as_result);
  co_return error;
}

}  // namespace

std::expected<std::string, std::string> http_get(const Endpoint& at, const std::string& target,
                                                 std::chrono::steady_clock::duration patience) {
  constexpr int http_1_1 = 11;
  http::request<http::empty_body> request{http::verb::get, target, http_1_1};
  request.set(http::field::host, at.to_string());
  request.keep_alive(false);

  asio::io_context io;
  beast::tcp_stream stream{io};
  stream.expires_after(patience);
  Parser answer;
  answer.body_limit(longest_answer_bytes);
  error_code failure;
  asio::co_spawn(
      io, ask(stream, {asio::ip::make_address(at.address.to_string()), at.port}, request, answer),
      [&](const std::exception_ptr&, error_code error) { failure = error; });
  io.run();
  if (failure) return std::unexpected{failure.message()};
  const auto& response = answer.get();
  if (response.result() != http::status::ok) {
    return std::unexpected{"HTTP status " + std::to_string(response.result_int())};
  }
  return response.body();
}

}  // namespace yuelao::server
