#include "server/process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>

namespace yuelao::server {

// None of these can fail in a way that should keep the server from serving.
void prepare_process() {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::prctl(PR_SET_DUMPABLE, 0);

  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }

  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace yuelao::server
