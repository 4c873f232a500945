#include "server/http_exchange.hpp"

#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>

namespace yuelao::server {
namespace {

namespace http = boost::beast::http;

}  // namespace

HttpResponse http_response(http::status status, std::string body, std::string_view type) {
  HttpResponse response{status, 11};
  response.set(http::field::content_type, type);
  response.set(http::field::cache_control, "no-store");
  response.body() = std::move(body);
  return response;
}

void bound(HttpParser& parser, std::size_t body_bytes) {
  parser.header_limit(http_header_limit_bytes);
  parser.body_limit(body_bytes);
}

std::optional<HttpResponse> http_refusal(const boost::system::error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return http_response(http::status::request_header_fields_too_large, "header too large\n");
  }
  if (error == http::error::body_limit) {
    return http_response(http::status::payload_too_large, "body too large\n");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  // Whatever else HTTP has to say is about malformed input; the rest is the network's.
  if (error.category() != make_error_code(http::error::bad_version).category()) {
    return std::nullopt;
  }
  return http_response(http::status::bad_request, "not understood\n");
}

std::optional<HttpResponse> http_refusal(const HttpParser& header) {
  if (!header.chunked()) return std::nullopt;
  return http_response(http::status::length_required, "say how long the content is\n");
}

HttpAsked asked_by(const HttpParser& parser) {
  return {.head = parser.get().method() == http::verb::head, .lasts = parser.get().keep_alive()};
}

HttpReply http_reply(HttpResponse response, HttpAsked asked) {
  response.keep_alive(asked.lasts);
  response.prepare_payload();
  const bool lasts = response.keep_alive();
  // RFC 9110 §9.3.2: HEAD's answer has GET's fields and no content.
  if (asked.head) return {http::response<http::empty_body>{std::move(response.base())}, lasts};
  return {std::move(response), lasts};
}

}  // namespace yuelao::server
