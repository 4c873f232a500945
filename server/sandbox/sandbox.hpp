#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/sandbox/places.hpp"

namespace yuelao::server {

// What a process takes away from itself once it has all it needs, so that whoever takes it over
// gets little. docs/sandbox.md says what each layer refuses.
enum class SandboxLayer : std::uint8_t {
  capabilities,  // none is left, and none can be had
  privileges,    // no program that is run gives any (no_new_privs)
  system_calls,  // those of a server that is under way (seccomp)
  files,         // those that Places names (Landlock)
};
inline constexpr std::size_t sandbox_layers = 4;

// As metrics and log lines name it: "system_calls".
std::string_view name(SandboxLayer layer);

// Which layers hold. Without a sandbox, none.
struct Sandbox {
  std::array<bool, sandbox_layers> active{};
  // Why others do not: "files (Landlock: Operation not supported)". Empty when all do.
  std::string missing;

  bool has(SandboxLayer layer) const { return active[static_cast<std::size_t>(layer)]; }
  // "capabilities, privileges, files"; empty when there is none.
  std::string names() const;
};

// Encloses the calling thread and those it starts from now on, for ever: call it when sockets,
// io_urings and files are open, and before there is a second thread. A layer that the kernel or
// a container does not allow is left out, never fatal: a relay without it serves all the same.
Sandbox enter_sandbox(const Places& places);

// Whether the process has capabilities, and may not give them up, but by beginning anew
// (inherited_sockets.hpp).
bool capabilities_stick();

// One layer each. Empty: it holds; else why not.
std::optional<std::string> give_up_capabilities();
std::optional<std::string> refuse_new_privileges();
std::optional<std::string> restrict_system_calls();
std::optional<std::string> restrict_files(const Places& places);

}  // namespace yuelao::server
