#pragma once

#include <string>

#include "config/config.hpp"
#include "server/sandbox/sandbox.hpp"

namespace yuelao::server {

// The keys that differ and need a restart, as "listen, relay.ports"; empty when none does.
std::string restart_keys(const config::Config& running, const config::Config& fresh);

// Makes `fresh` say what `running` says for those keys and for what the server filled
// in at its start: sessions and nonces that are out there depend on it.
void keep_until_restart(const config::Config& running, config::Config& fresh);

// Why a configuration was not taken, with what to do where the sandbox is the reason.
std::string explained(std::string reason, const Sandbox& sandbox);

}  // namespace yuelao::server
