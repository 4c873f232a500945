#include "server/journal.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <string>

namespace yuelao::server {

// systemd.exec(5): $JOURNAL_STREAM names the journal's socket as device:inode. It is
// inherited, so a stream that was redirected since has to be told apart.
bool goes_to_journal(int descriptor) {
  const char* stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe)
  struct stat status{};
  if (stream == nullptr || ::fstat(descriptor, &status) != 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

}  // namespace yuelao::server
