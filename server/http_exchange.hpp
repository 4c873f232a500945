#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/message_generator.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "protocol/endpoint.hpp"

// One request and its answer, without the connection that they come and go by.
namespace yuelao::server {

using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

struct HttpRequest {
  boost::beast::http::request<boost::beast::http::string_body> message;
  IpAddress client;
};

// An answer that no cache may keep.
HttpResponse http_response(boost::beast::http::status status, std::string body,
                           std::string_view type = "text/plain; charset=utf-8");

// Of a request, up to its content.
inline constexpr std::size_t http_header_limit_bytes = 8192;

using HttpParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

// Bounds what the request may bring; 0 octets of content refuse every one that has any.
void bound(HttpParser& parser, std::size_t body_bytes);

// What to answer before closing to a request that could not be read. Empty where nobody is
// listening any more.
std::optional<HttpResponse> http_refusal(const boost::system::error_code& error);

// The same of one whose header alone has been read: chunked content is not taken (411, RFC 9110
// §15.5.12), since an assertion of Beast's own reader of chunks fails on some that anybody can
// send. Empty: read on.
std::optional<HttpResponse> http_refusal(const HttpParser& header);

// What an answer needs to know of its request.
struct HttpAsked {
  bool head = false;   // wants no content
  bool lasts = false;  // wants to ask again on this connection
};
// Of a request that has been read.
HttpAsked asked_by(const HttpParser& parser);

struct HttpReply {
  boost::beast::http::message_generator message;
  bool lasts;  // the connection may carry another request
};
// The answer as it leaves: with the fields that belong to the connection, and without content where
// none is wanted.
HttpReply http_reply(HttpResponse response, HttpAsked asked);

}  // namespace yuelao::server
