#pragma once

#include <filesystem>
#include <string>

#include "config/config.hpp"

namespace yuelao::test {

// A directory that goes when this does.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Writes a fresh key and a certificate signed with it, for *.test and turn.test, valid
// from and to as many seconds from now, as NAME.pem and NAME.key.
config::TlsFiles make_certificate(const std::filesystem::path& directory, const std::string& name,
                                  long valid_from = -3600, long valid_to = 86400);

}  // namespace yuelao::test
