#include "protocol/turn/outbox.hpp"

#include <utility>

namespace yuelao::turn {

Outbox::Outbox() : scratch_{std::make_unique<std::byte[]>(scratch_limit)} {
  sends_.reserve(send_limit);
  handovers_.reserve(send_limit);
  commands_.reserve(send_limit);
}

void Outbox::clear() {
  clear_sends();
  commands_.clear();
}

void Outbox::clear_sends() {
  sends_.clear();
  handovers_.clear();
  forwards_.clear();
  scratch_used_ = 0;
}

std::vector<Command> Outbox::take_commands() { return std::exchange(commands_, {}); }

MutableBytes Outbox::scratch() { return {scratch_.get() + scratch_used_, message_limit}; }

Bytes Outbox::keep(std::size_t size) {
  const Bytes kept{scratch_.get() + scratch_used_, size};
  scratch_used_ += size;
  return kept;
}

}  // namespace yuelao::turn
