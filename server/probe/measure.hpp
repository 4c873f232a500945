#pragma once

#include "protocol/bytes.hpp"
#include "protocol/now.hpp"
#include "protocol/random.hpp"
#include "server/probe/report.hpp"

namespace yuelao::probe {

// One end of a way that payloads take. What is sent may be lost.
class End {
 public:
  End() = default;
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  virtual ~End() = default;

  virtual int descriptor() const = 0;
  virtual void send(Bytes payload, SteadyTime deadline) = 0;
  // The next payload, which lives until the next call; empty when there is none yet.
  virtual Bytes receive() = 0;
  // False: nothing can come or go any more.
  virtual bool alive() const = 0;
};

// Sends 50 packets the size of speech from `near` to `far` at its pace, returns them from
// there, and sends as much as arrives for a second where any did. Takes 3 seconds at most.
// DataTest::way is the caller's to fill in.
DataTest measure(End& near, End& far, Random& random, SteadyTime deadline);

}  // namespace yuelao::probe
