#include "server/sandbox/sandbox.hpp"

namespace yuelao::server {

std::string_view name(SandboxLayer layer) {
  constexpr std::array<std::string_view, sandbox_layers> names{"capabilities", "privileges",
                                                               "system_calls", "files"};
  return names[static_cast<std::size_t>(layer)];
}

std::string Sandbox::names() const {
  std::string all;
  for (std::size_t i = 0; i < sandbox_layers; ++i) {
    if (active[i]) all.append(all.empty() ? "" : ", ").append(name(static_cast<SandboxLayer>(i)));
  }
  return all;
}

Sandbox enter_sandbox(const Places& places) {
  Sandbox sandbox;
  const auto enter = [&](SandboxLayer layer, const std::optional<std::string>& reason) {
    sandbox.active[static_cast<std::size_t>(layer)] = !reason;
    if (!reason) return;
    sandbox.missing.append(sandbox.missing.empty() ? "" : ", ")
        .append(name(layer))
        .append(" (" + *reason + ")");
  };
  // Landlock and seccomp ask for no_new_privs; naming files may take a capability, and the last
  // one forbids what the others call.
  enter(SandboxLayer::privileges, refuse_new_privileges());
  enter(SandboxLayer::files, restrict_files(places));
  enter(SandboxLayer::capabilities, give_up_capabilities());
  enter(SandboxLayer::system_calls, restrict_system_calls());
  return sandbox;
}

}  // namespace yuelao::server
