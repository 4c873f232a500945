#include "server/command/command_line.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "server/command/command.hpp"
#include "server/command/serve.hpp"

namespace yuelao::server {

int run_command(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app{
      "yuelao relays the media of calls between browsers that cannot reach each other "
      "(STUN and TURN).\n\nStart it without arguments: it makes a secret, listens on port "
      "3478 over UDP and TCP, and\nprints what to paste into your meeting server.\n",
      "yuelao"};
  app.set_version_flag("--version", "yuelao " YUELAO_VERSION, "Print the version");
  app.require_subcommand(0, 1);
  add_start_options(app, line);
  add_serve(app, line);
  add_check_config(app, line);
  add_credentials(app, line);
  add_probe(app, line);
  add_integrate(app, line);
  add_web_page(app, line);
  add_import(app, line);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? succeeded : used_wrongly;
  }
  if (!line.run) return serve(line.start);
  return line.run();
}

}  // namespace yuelao::server
