#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/command/integration.hpp"
#include "server/command/start_up.hpp"

// What each command does, one a file; command_line.cpp says how they are called. All
// return the exit status.
namespace yuelao::server {

inline constexpr int succeeded = 0;
inline constexpr int failed = 1;
inline constexpr int used_wrongly = 2;

// Prints the sentence to standard error, and returns `failed`.
int fail(std::string_view sentence);
// The same for what the command line said; returns `used_wrongly`.
int misuse(std::string_view sentence);

// Runs the server until it is told to end. With no configuration file, what to paste into
// a meeting system goes to stdout. Throws StartError.
int serve(const StartOptions& options);

// `named`: the file to check; empty: the one serve() reads.
int check_config(StartOptions start, const std::string& named);

struct CredentialsArguments {
  std::optional<std::string> user;
  std::string lifetime = "24h";
  bool json = false;
};
int print_credentials(const StartOptions& start, const CredentialsArguments& wanted);

struct ProbeArguments {
  std::string uri;
  std::optional<std::string> user;
  std::filesystem::path password_file;
  std::filesystem::path secret_file;
  std::filesystem::path authorities;
  bool json = false;
};
int probe_server(const ProbeArguments& wanted);

struct CheckArguments {
  std::vector<std::string> peers;
  std::string stun;  // HOST or HOST:PORT; empty: nobody is asked
  std::filesystem::path authorities;
  bool json = false;
};
int check_server(const StartOptions& start, const CheckArguments& wanted);

struct IntegrateArguments {
  std::string system;  // empty: list them
  IntegrationWish wish;
  bool write = false;
  bool json = false;
};
int integrate_system(const StartOptions& start, const IntegrateArguments& wanted);

int print_web_page();
int import_coturn(const std::string& file);

}  // namespace yuelao::server
