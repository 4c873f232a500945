#pragma once

namespace yuelao::server {

// Whether what is written to `descriptor` ends up in systemd's journal.
bool goes_to_journal(int descriptor);

}  // namespace yuelao::server
