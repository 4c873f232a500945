#pragma once

#include <filesystem>
#include <string>

#include "config/config.hpp"
#include "tests/support/temporary_directory.hpp"

namespace yuelao::test {

// Writes a fresh key and a certificate signed with it, for *.test and turn.test, valid
// from and to as many seconds from now, as NAME.pem and NAME.key.
config::TlsFiles make_certificate(const std::filesystem::path& directory, const std::string& name,
                                  long valid_from = -3600, long valid_to = 86400);

}  // namespace yuelao::test
