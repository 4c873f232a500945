#pragma once

namespace yuelao::server {

// What the process asks of the kernel for itself, once, before it serves: no core dump
// and no debugger of the same user (memory holds keys and calls), every descriptor the
// hard limit allows (each relay takes one), and no death by a closed pipe.
void prepare_process();

}  // namespace yuelao::server
