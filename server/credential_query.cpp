#include "server/credential_query.hpp"

#include <string_view>
#include <utility>

#include <boost/url/params_view.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace yuelao::server {
namespace {

namespace http = boost::beast::http;
namespace urls = boost::urls;

constexpr std::string_view form = "application/x-www-form-urlencoded";

// The first one's value, with "+" for a space as forms have it.
std::string value_of(const urls::params_view& parameters, std::string_view name) {
  for (const auto parameter : parameters) {
    if (parameter.key == name) return std::string{parameter.value};
  }
  return {};
}

void add(const urls::params_view& parameters, CredentialQuery& query) {
  const auto fill = [&](std::string& to, std::string_view name) {
    if (to.empty()) to = value_of(parameters, name);
  };
  fill(query.service, "service");
  fill(query.username, "username");
  fill(query.ttl, "ttl");
  if (query.key.empty()) query.key = Secret{value_of(parameters, "key")};
  if (query.key.empty()) query.key = Secret{value_of(parameters, "api")};
}

}  // namespace

std::optional<CredentialQuery> read_credential_query(
    const http::request<http::string_body>& request) {
  const auto target = urls::parse_origin_form(request.target());
  if (!target) return std::nullopt;
  urls::encoding_opts options;
  options.space_as_plus = true;
  CredentialQuery query;
  query.path = target->encoded_path();
  add(target->params(options), query);
  const std::string_view type = request[http::field::content_type];
  if (request.method() == http::verb::post && type.starts_with(form)) {
    // A form is written like a query.
    const auto text = "/?" + request.body();
    const auto content = urls::parse_origin_form(text);
    if (!content) return std::nullopt;
    add(content->params(options), query);
  }
  return query;
}

}  // namespace yuelao::server
