#pragma once

#include <chrono>
#include <expected>
#include <string>

#include "protocol/endpoint.hpp"

namespace yuelao::server {

// What GET gives for `target` ("/metrics") at `at`, for a question to a server of our own. Blocks
// for `patience` at most. The error says why there is nothing: the system's reason, an answer of
// more than 1 MiB or in chunks, or the status of one that is not 200.
std::expected<std::string, std::string> http_get(const Endpoint& at, const std::string& target,
                                                 std::chrono::steady_clock::duration patience);

}  // namespace yuelao::server
