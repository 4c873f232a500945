#pragma once

#include <filesystem>
#include <vector>

namespace yuelao::server {

// What of the file system a server may still use.
struct Places {
  // Files, and directories with all that is in them.
  std::vector<std::filesystem::path> read;
  // Directories to make, read and delete files in.
  std::vector<std::filesystem::path> write;
};

// What decides what `file` says, now and after it was replaced by another: the directory it is
// in, and those of all symbolic links on the way there, as with certbot's live/ and archive/
// or a mounted Kubernetes secret. A directory that is shared with everybody, such as /etc or
// somebody's home, is not among them: of those, only the file itself.
std::vector<std::filesystem::path> places_of(const std::filesystem::path& file);

// Whether all kinds of things are in `directory`, which is without symbolic links.
bool shared_with_everybody(const std::filesystem::path& directory);

// What glibc reads to look up a name or a time zone.
std::vector<std::filesystem::path> places_of_the_system();

}  // namespace yuelao::server
