#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "protocol/stun/credentials.hpp"
#include "server/command/command.hpp"
#include "server/probe/probe.hpp"

namespace yuelao::server {
namespace {

using Credentials = std::optional<client::Credentials>;

// The first line, as editors and `echo` leave a newline behind a password.
std::expected<Secret, std::string> read_first_line(const std::filesystem::path& file) {
  constexpr std::streamsize longest_bytes = 1024;
  std::ifstream stream{file, std::ios::binary};
  std::string text(longest_bytes, '\0');
  if (stream) stream.read(text.data(), longest_bytes);
  if (!stream.eof() && (!stream || stream.gcount() == longest_bytes)) {
    return std::unexpected{file.string() +
                           " cannot be read, or holds more than a password: look "
                           "at its name and its permissions."};
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  text.resize(std::min(text.size(), text.find_first_of("\r\n")));
  if (text.empty())
    return std::unexpected{file.string() +
                           " begins with an empty line: put the "
                           "password or secret there."};
  return Secret{std::move(text)};
}

// Of the file, else of the environment; empty where neither names one.
std::expected<std::optional<Secret>, std::string> read_secret_from(
    const std::filesystem::path& file, const char* variable) {
  if (!file.empty()) return read_first_line(file);
  const char* value = std::getenv(variable);
  if (!value || *value == '\0') return std::nullopt;
  return Secret{value};
}

// As `yuelao credentials` makes them (TURN REST), for an hour.
client::Credentials rest_credentials(const Secret& secret, const std::string& user) {
  const auto expiry = std::chrono::system_clock::now() + std::chrono::hours{1};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(expiry.time_since_epoch()).count();
  auto name = std::to_string(seconds) + ":" + user;
  Secret password{stun::rest_password(secret.reveal(), name)};
  return {std::move(name), std::move(password)};
}

std::expected<Credentials, std::string> static_credentials(const Secret& password,
                                                           const std::optional<std::string>& user) {
  if (!user) return std::unexpected{"a password belongs to a user: name one with --user."};
  const auto prepared = stun::opaque_string(password.reveal());
  if (!prepared) {
    return std::unexpected{
        "no client can send this password: it is not UTF-8, or has control "
        "characters."};
  }
  return client::Credentials{*user, Secret{*prepared}};
}

std::expected<Credentials, std::string> read_credentials(const ProbeArguments& wanted) {
  constexpr std::size_t longest_user_name_bytes = 480;  // RFC 8489 §14.3, less an expiry
  auto password = read_secret_from(wanted.password_file, "YUELAO_PASSWORD");
  if (!password) return std::unexpected{password.error()};
  auto secret = read_secret_from(wanted.secret_file, "YUELAO_SECRET");
  if (!secret) return std::unexpected{secret.error()};
  // What the command line names goes before what happens to be in the environment.
  if (!wanted.password_file.empty()) secret->reset();
  if (!wanted.secret_file.empty()) password->reset();
  std::optional<std::string> user = wanted.user;
  if (user) user = stun::opaque_string(*wanted.user);
  if (wanted.user && (!user || user->size() > longest_user_name_bytes)) {
    return std::unexpected{"no client can send this user name: choose another one."};
  }
  if (*password && *secret) {
    return std::unexpected{"YUELAO_PASSWORD and YUELAO_SECRET are both set: unset one of them."};
  }
  if (*secret) return rest_credentials(**secret, user.value_or("probe"));
  if (*password) return static_credentials(**password, user);
  if (user) {
    return std::unexpected{
        "--user needs a password or a secret: name its file with "
        "--password-file or --secret-file."};
  }
  return std::nullopt;
}

}  // namespace

int probe_server(const ProbeArguments& wanted) {
  const auto uri = client::parse_uri(wanted.uri);
  if (!uri) return misuse(wanted.uri + ": " + std::string{client::explain(uri.error())});
  auto credentials = read_credentials(wanted);
  if (!credentials) return misuse(credentials.error());
  const auto trust = probe::load_trust(wanted.authorities);
  if (!trust) return misuse(trust.error());
  if (!stun::long_term_keys_work()) {
    return fail("OpenSSL refuses MD5, as in FIPS mode, and TURN cannot do without it.");
  }
  // A server that closes a connection is a result, and no reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  const auto report = probe::probe(
      {.uri = *uri,
       .credentials = *std::move(credentials),
       .trust = *trust,
       .progress = [](std::string_view waiting) { std::cerr << waiting << " ...\n"; }});
  std::cout << (wanted.json ? probe::to_json(report) + "\n" : probe::to_text(report));
  return report.works() ? succeeded : failed;
}

}  // namespace yuelao::server
