#include "server/tls_context.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <fstream>
#include <string>

#include "server/start_error.hpp"
#include "tests/server/certificate.hpp"

namespace yuelao::server::tls_context_test {
namespace {

using test::make_certificate;

std::string reason_for_refusing(const config::TlsFiles& files) {
  try {
    load_tls_context(files);
  } catch (const StartError& error) {
    return error.what();
  }
  return "(not refused)";
}

void expect(const std::string& reason, std::string_view part) {
  CAPTURE(reason);
  CHECK(reason.find(part) != std::string::npos);
}

TEST_CASE("a good certificate is loaded, and tells when it expires") {
  const test::TemporaryDirectory directory;
  const auto tls = load_tls_context(make_certificate(directory.path(), "good", -60, 7200));
  const auto left = tls->expiry - std::chrono::system_clock::now();
  CHECK(left > std::chrono::seconds{7100});
  CHECK(left <= std::chrono::seconds{7201});
}

TEST_CASE("nothing is compressed, renegotiated or taken early") {  // RFC 9325 §3.3, §3.5, §3.10
  const test::TemporaryDirectory directory;
  const auto tls = load_tls_context(make_certificate(directory.path(), "good"));
  for (auto* const context : {tls->context.get(), tls->datagrams.get()}) {
    const auto options = SSL_CTX_get_options(context);
    for (const auto option :
         {SSL_OP_NO_COMPRESSION, SSL_OP_NO_RENEGOTIATION, SSL_OP_CIPHER_SERVER_PREFERENCE}) {
      CHECK((options & option) != 0);
    }
    CHECK(SSL_CTX_get_max_early_data(context) == 0);
    CHECK(SSL_CTX_get_session_cache_mode(context) == SSL_SESS_CACHE_OFF);
  }
}

TEST_CASE("a certificate that cannot serve is refused with its reason and its file") {
  const test::TemporaryDirectory directory;
  const auto good = make_certificate(directory.path(), "good");
  const auto other = make_certificate(directory.path(), "other");
  const auto nowhere = directory.path() / "nowhere.pem";
  const auto garbage = directory.path() / "garbage.pem";
  std::ofstream{garbage} << "not PEM at all\n";
  const auto empty = directory.path() / "empty.pem";
  std::ofstream{empty}.flush();

  expect(reason_for_refusing({nowhere, good.key}), "nowhere.pem does not exist");
  expect(reason_for_refusing({good.certificate, nowhere}), "nowhere.pem does not exist");
  expect(reason_for_refusing({empty, good.key}), "empty.pem cannot be read (it is empty)");
  expect(reason_for_refusing({directory.path(), good.key}), "cannot be read");
  expect(reason_for_refusing({garbage, good.key}), "garbage.pem is not a PEM certificate");
  expect(reason_for_refusing({good.certificate, garbage}), "garbage.pem is not an unencrypted");
  expect(reason_for_refusing({good.certificate, other.key}), "does not belong to the certificate");
  expect(reason_for_refusing(make_certificate(directory.path(), "old", -7200, -60)), "expired at");
  expect(reason_for_refusing(make_certificate(directory.path(), "early", 3600, 7200)),
         "not valid before");
}

}  // namespace
}  // namespace yuelao::server::tls_context_test
