#pragma once

namespace yuelao::server {

// The command line. Returns the exit status: 0, 1 after one sentence on stderr, 2 when
// the command line itself is wrong.
int run_command(int argc, const char* const* argv);

}  // namespace yuelao::server
