#include "server/web_page.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "server/command/command.hpp"

namespace yuelao::server {
namespace {

int print_web_page() {
  std::cout << web_page << std::flush;
  return std::cout ? succeeded : fail("the page could not be written: is the disk full?");
}

}  // namespace

void add_web_page(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand(
      "web-page", "Print the connection check as one HTML file, to open or host anywhere");
  command->callback([&line] { line.run = print_web_page; });
}

}  // namespace yuelao::server
