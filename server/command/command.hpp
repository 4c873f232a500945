#pragma once

#include <functional>
#include <string_view>

#include "server/command/start_up.hpp"

namespace CLI {
class App;
}

namespace yuelao::server {

// Exit statuses.
inline constexpr int succeeded = 0;
inline constexpr int failed = 1;
inline constexpr int used_wrongly = 2;

// What the command line said so far.
struct CommandLine {
  StartOptions start;        // of every command that reads the configuration
  std::function<int()> run;  // set by the command that was named; gives the exit status
};

// Prints the sentence to standard error, and returns `failed`.
int fail(std::string_view sentence);

// --config and --state-directory.
void add_start_options(CLI::App& app, CommandLine& line);

// One a command, in a file of its own: adds it to `app`, with its options and what it
// does to `line`. Both outlive the parsing and the run.
void add_serve(CLI::App& app, CommandLine& line);
void add_check_config(CLI::App& app, CommandLine& line);
void add_credentials(CLI::App& app, CommandLine& line);
void add_import(CLI::App& app, CommandLine& line);
void add_integrate(CLI::App& app, CommandLine& line);
void add_probe(CLI::App& app, CommandLine& line);
void add_web_page(CLI::App& app, CommandLine& line);

}  // namespace yuelao::server
