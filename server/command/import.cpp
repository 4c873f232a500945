#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "config/coturn.hpp"
#include "server/command/command.hpp"

namespace yuelao::server {
namespace {

// Far above any turnserver.conf; a device has no end.
constexpr std::size_t longest_file_bytes = 1024UL * 1024;

int import_file(const std::string& name) {
  std::ifstream file{name, std::ios::binary};
  std::string text(longest_file_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) {
    return fail(name + " cannot be read (" + std::strerror(errno) +
                "): check its name and who may read it.");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > longest_file_bytes) {
    return fail(name + " is too long for a turnserver.conf: name another file.");
  }
  const auto yaml = config::import_coturn(text, name);
  if (!yaml) {
    // As compilers write it, so that editors find the place.
    std::cerr << yaml.error().to_string() << "\n";
    return failed;
  }
  std::cout << *yaml;
  return succeeded;
}

}  // namespace

void add_import(CLI::App& app, CommandLine& line) {
  auto* command =
      app.add_subcommand("import", "Print this server's configuration from another server's");
  command->require_subcommand(1);
  auto* coturn = command->add_subcommand("coturn", "From coturn's turnserver.conf");
  const auto name = std::make_shared<std::string>();
  coturn->add_option("FILE", *name, "Usually /etc/turnserver.conf")->type_name("")->required();
  coturn->callback([&line, name] { line.run = [name] { return import_file(*name); }; });
}

}  // namespace yuelao::server
