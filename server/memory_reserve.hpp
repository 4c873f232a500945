#pragma once

namespace yuelao::server::memory_reserve {

// When operator new has no memory left it gets what is set aside here, so that calls that are up go
// on; from then on new ones are refused, until there is as much again to set aside. (Where the
// kernel promises memory it does not have, as it usually does, it never refuses any: then its OOM
// killer, or a container's, decides.) For any thread.

// Once, before the server serves.
void set_aside();

// Whether it had to be used. Asked for each new allocation and connection.
bool used();

// To be called about once a second. Says in the log what has changed.
void look_after();

}  // namespace yuelao::server::memory_reserve
