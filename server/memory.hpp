#pragma once

namespace yuelao::server {

// For a program that will hold secrets, first of all it does: before OpenSSL has any memory and
// before the configuration is read.
//
// - A core dump of it, also one that a debugger of root's takes, has registers and no memory
//   (core(5), coredump_filter). Should that not be possible, secrets, private keys and packets
//   lie in memory that is left out by itself (MADV_DONTDUMP).
// - Secrets and private keys are not swapped out, as far as RLIMIT_MEMLOCK goes.
// - What OpenSSL frees is wiped, as far as keys and their files may be in it.
void protect_memory();

}  // namespace yuelao::server
