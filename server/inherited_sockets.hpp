#pragma once

#include <optional>
#include <system_error>

#include "protocol/endpoint.hpp"
#include "server/file_descriptor.hpp"

namespace yuelao::server {

// Ports below 1024 are bound with a capability. Where a process may not give it up by itself (a
// service whose filter of system calls has no capset), it begins anew as its own program, which is
// given no capability but has the sockets. Both on the only thread there is.

// Runs this program anew with the sockets that are bound below 1024; everything else is as if it
// was started just now. Does not return, but for an error of execve(2).
std::error_code begin_anew();
// Whether this is the program that was run anew.
bool begun_anew();

// A socket of this type (SOCK_DGRAM, SOCK_STREAM) that is bound there and came from begin_anew(),
// with all its options; each is given once.
std::optional<FileDescriptor> take_inherited(int type, const Endpoint& local);
// Whether take_inherited() has one.
bool is_inherited(int type, const Endpoint& local);

}  // namespace yuelao::server
