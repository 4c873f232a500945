#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "server/command/command.hpp"
#include "server/command/integration.hpp"
#include "server/file_descriptor.hpp"
#include "server/integrate/systems.hpp"

namespace yuelao::server {
namespace {

using integrate::System;

std::string heading(const System& system) {
  return "# yuelao for " + std::string{system.title} + "\n";
}

// What a file needs even when it has nothing to say that is not the default.
std::string whole_file(const System& system, const Integration& made) {
  return heading(system) +
         (made.ours.empty() ? "# Nothing to set: the defaults fit, and yuelao made the secret.\n"
                            : made.ours);
}

void print_ours(const System& system, const Integration& made) {
  std::cout << "== yuelao: " << made.file.string() << "\n\n";
  if (!made.file_exists) {
    std::cout << whole_file(system, made);
  } else if (made.ours.empty()) {
    std::cout << "It has all that " << system.title << " needs.\n";
  } else {
    std::cout << "Add to it, below keys of the same name where there are such:\n\n" << made.ours;
  }
}

void print_theirs(const System& system, const Integration& made) {
  for (const auto& snippet : made.theirs.snippets) {
    std::cout << "\n== " << system.title << ": " << snippet.where << "\n"
              << snippet.what << ".\n\n"
              << snippet.text;
  }
  if (!made.theirs.notes.empty()) std::cout << "\n== Notes\n\n";
  for (const auto& note : made.theirs.notes) std::cout << "- " << note << "\n";
}

void print_json(const System& system, const Integration& made) {
  nlohmann::ordered_json json;
  json["system"] = system.name;
  json["yuelao"] = {{"file", made.file.string()},
                    {"exists", made.file_exists},
                    {"text", made.file_exists ? made.ours : whole_file(system, made)}};
  json["snippets"] = nlohmann::ordered_json::array();
  for (const auto& snippet : made.theirs.snippets) {
    json["snippets"].push_back(
        {{"where", snippet.where}, {"what", snippet.what}, {"text", snippet.text}});
  }
  json["notes"] = made.theirs.notes;
  std::cout << json.dump(2) << "\n";
}

// Never over a file that is there. It holds no secret, only the names of files that do,
// and the service's own user must be able to read it.
int write_ours(const System& system, const Integration& made) {
  const auto name = made.file.string();
  if (made.file_exists) {
    if (made.ours.empty()) {
      std::cerr << name << " has all that " << system.title << " needs: nothing to write\n";
      return succeeded;
    }
    return fail(name +
                " is there already and is left as it is: add the lines above to it, and "
                "check it by `yuelao check-config " +
                name + "`.");
  }
  std::error_code error;
  std::filesystem::create_directories(made.file.parent_path(), error);
  const FileDescriptor file{
      ::open(made.file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
  const auto text = whole_file(system, made);
  const auto count = file.open() ? ::write(file.value(), text.data(), text.size()) : -1;
  if (count != static_cast<ssize_t>(text.size())) {
    return fail(name + " cannot be written (" + std::strerror(errno) +
                "): run this as root, or name another file by --config.");
  }
  std::cerr << "wrote " << name << ": `systemctl restart yuelao` applies it\n";
  return succeeded;
}

}  // namespace

int integrate_system(const StartOptions& start, const IntegrateArguments& wanted) {
  if (wanted.system.empty()) {
    std::cout << integrate::list_of_systems();
    return succeeded;
  }
  const auto system = integrate::system_named(wanted.system);
  if (!system) return fail(system.error());
  const auto made = integrate_with(**system, start, wanted.wish);
  if (!made) return fail(made.error());
  if (wanted.json) {
    print_json(**system, *made);
  } else {
    print_ours(**system, *made);
    print_theirs(**system, *made);
  }
  std::cout.flush();
  return wanted.write ? write_ours(**system, *made) : succeeded;
}

}  // namespace yuelao::server
