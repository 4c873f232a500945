#pragma once

#include "server/command/start_up.hpp"
#include "server/sandbox/sandbox.hpp"

namespace yuelao::server {

// Enters the sandbox that a server with this configuration can go on in, and be reloaded, and
// logs which layers hold. Call it once everything is open and before anybody is served.
Sandbox enclose(const StartOptions& options, const ReadyConfig& ready);

}  // namespace yuelao::server
