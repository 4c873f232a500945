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

// Sends 50 packets the size of speech from `near` to `far` at its pace, and returns them
// from there. Takes 2 seconds at most. DataTest's `way` and throughput are the caller's to
// fill in.
DataTest round_trips(End& near, End& far, Random& random, SteadyTime deadline);

// How many megabits of payload a second arrive at `far` from `near` with a bounded number
// of packets on the way. Takes a second at most, and sends no more than 25 MB.
double throughput(End& near, End& far, Random& random, SteadyTime deadline);

}  // namespace yuelao::probe
