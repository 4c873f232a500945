#include "server/command/command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

namespace yuelao::server {

int fail(std::string_view sentence) {
  std::cerr << "yuelao: " << sentence << "\n";
  return failed;
}

void add_start_options(CLI::App& app, CommandLine& line) {
  app.add_option("-c,--config", line.start.config_file,
                 "Configuration file. Default: $YUELAO_CONFIG, or /etc/yuelao/yuelao.yaml "
                 "where it exists, or none: everything has a safe default")
      ->type_name("FILE");
  app.add_option("--state-directory", line.start.state_directory,
                 "Where the secret made at the first start is kept. Default: "
                 "/var/lib/yuelao for root, else ~/.local/state/yuelao")
      ->type_name("DIR");
}

}  // namespace yuelao::server
