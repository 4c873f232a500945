#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace yuelao::server {

// The first DNS name of the certificate in `file` (PEM) that is no wildcard. Empty when
// it has none, or cannot be read: who serves with it says why.
std::optional<std::string> certificate_host(const std::filesystem::path& file);

}  // namespace yuelao::server
