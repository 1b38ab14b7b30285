// Where a session's seconds and bytes went.
#pragma once

#include <utility>

#include "runtime/vm/Stats.h"

namespace sd {

// Traffic of the connections and time, from one mark to the next.
class Meter {
public:
  explicit Meter(const Connection &peer) : peer_(peer), last_(now()) {}
  void alsoCount(const Connection &dealer) { dealer_ = &dealer; }

  void add(PhaseStats &phase) {
    phase.last = watch_.interval();
    phase.seconds += phase.last.length;
    const Traffic traffic = now();
    phase.traffic += traffic - last_;
    last_ = traffic;
  }
  void addRecord(PhaseStats &phase) {
    const double before = std::exchange(phase.seconds, 0);
    add(phase);
    phase.recordSeconds.push_back(phase.seconds);
    phase.seconds += before;
  }
  Traffic now() const {
    Traffic traffic = peer_.traffic();
    if (dealer_) traffic += dealer_->traffic();
    return traffic;
  }

private:
  const Connection &peer_;
  const Connection *dealer_ = nullptr;
  Traffic last_;
  Stopwatch watch_;
};

// What was spent since the op before is the op's.
class OpMeter {
public:
  OpMeter(const Meter &meter, std::vector<OpStats> &ops) : meter_(meter), ops_(ops), last_(meter.now()) {}

  void add(std::uint32_t instruction) {
    const Traffic traffic = meter_.now(), spent = traffic - last_;
    ops_[instruction].last = watch_.interval();
    ops_[instruction].seconds += ops_[instruction].last.length;
    ops_[instruction].bytesSent += spent.bytesSent;
    ops_[instruction].bytesReceived += spent.bytesReceived;
    last_ = traffic;
  }

private:
  const Meter &meter_;
  std::vector<OpStats> &ops_;
  Traffic last_;
  Stopwatch watch_;
};

} // namespace sd
