#pragma once

#include <optional>
#include <string>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "protocol/secret.hpp"

namespace yuelao::server {

// What a request for credentials says, in its query or in a form's content
// (draft-uberti-behave-turn-rest-00 §2.1). Of what is said twice the first counts, and the
// query before the content: Janus says all in both.
struct CredentialQuery {
  std::string path;
  std::string service;
  Secret key;  // `key` as the draft has it, else `api` as Janus does
  std::string username;
  std::string ttl;
};

// Empty when target or form are not well-formed.
std::optional<CredentialQuery> read_credential_query(
    const boost::beast::http::request<boost::beast::http::string_body>& request);

}  // namespace yuelao::server
