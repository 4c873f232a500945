#include "server/command/certificate_host.hpp"

#include <doctest/doctest.h>

#include "tests/server/certificate.hpp"

namespace yuelao::server::certificate_host_test {

TEST_CASE("a certificate's host is its first name that a client can be given") {
  const test::TemporaryDirectory directory;
  const auto files = test::make_certificate(directory.path(), "turn");
  CHECK(certificate_host(files.certificate) == "turn.test");
  CHECK_FALSE(certificate_host(files.key));
  CHECK_FALSE(certificate_host(directory.path() / "missing.pem"));
}

}  // namespace yuelao::server::certificate_host_test
