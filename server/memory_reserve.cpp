#include "server/memory_reserve.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "server/log.hpp"

namespace yuelao::server::memory_reserve {
namespace {

// What a full server needs until new work is refused, a second at most, and after it.
constexpr std::size_t bytes = std::size_t{8} << 20U;

std::atomic<void*> reserve = nullptr;
std::atomic<bool> short_of_memory = false;
std::mutex looking;
bool told = false;

// For operator new, which tries again after it.
void give() {
  short_of_memory.store(true, std::memory_order_relaxed);
  void* const given = reserve.exchange(nullptr);
  if (given == nullptr) throw std::bad_alloc{};
  std::free(given);
}

// From malloc, which calls no handler.
bool refill() {
  // As much again, so that the reserve is not all there is.
  void* const again = std::malloc(bytes);
  void* const spare = std::malloc(bytes);
  std::free(spare);
  if (again == nullptr || spare == nullptr) {
    std::free(again);
    return false;
  }
  std::free(reserve.exchange(again));
  return true;
}

}  // namespace

void set_aside() {
  if (reserve.load() == nullptr) reserve.store(std::malloc(bytes));
  std::set_new_handler(give);
}

bool used() { return short_of_memory.load(std::memory_order_relaxed); }

void look_after() {
  if (!used()) return;
  const std::scoped_lock lock{looking};
  if (!used()) return;
  if (refill()) {
    short_of_memory.store(false, std::memory_order_relaxed);
    if (std::exchange(told, false)) {
      log_info("there is memory again: new calls are taken");
    } else {
      log_warning("memory was short for a moment: new calls were refused");
    }
  } else if (!std::exchange(told, true)) {
    log_warning("no memory is left: calls go on, and new ones are refused until there is some");
  }
}

}  // namespace yuelao::server::memory_reserve
