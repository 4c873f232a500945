#pragma once

#include <cstddef>

namespace yuelao::test {

// How often this thread has called operator new. A test that includes this links
// yuelao_allocation_counter, which replaces the global operator; C libraries' own
// malloc() is not seen.
std::size_t allocations_of_this_thread();

// How often `work` calls operator new.
template <class Work>
std::size_t allocations_during(Work&& work) {
  const auto before = allocations_of_this_thread();
  work();
  return allocations_of_this_thread() - before;
}

}  // namespace yuelao::test
