#pragma once

#include "server/command/start_up.hpp"

namespace yuelao::server {

// Runs the server until it is told to end; its exit status. With no configuration file,
// what to paste into a meeting system goes to stdout. Throws StartError.
int serve(const StartOptions& options);

}  // namespace yuelao::server
