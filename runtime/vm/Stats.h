// What a run took: time and traffic of each phase, and of each op in it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "ir/bytecode/Program.h"
#include "runtime/net/Channel.h"

namespace sd {

// When something was last done, in seconds of the machine's steady clock: processes of one machine share it.
struct TimeSpan {
  double begin = 0, length = 0;
};

struct OpStats {
  double seconds = 0;
  std::uint64_t bytesSent = 0, bytesReceived = 0; // online: payloads, without the frames that ops share
  TimeSpan last = {};
};

struct PhaseStats {
  double seconds = 0;
  TimeSpan last;
  std::vector<double> recordSeconds; // of each record; of the set-up none
  Traffic traffic;
  std::vector<OpStats> ops; // by instruction
};

// One party's figures, summed over the records of a session.
struct SessionStats {
  int party = 0;
  std::uint64_t sessions = 1, records = 0;
  PhaseStats setup; // handshake, and what is done once for all records
  PhaseStats offline, online;
  std::vector<std::string> stored; // names of the stored inferences that were made or used

  // A service's totals: the sums. Lists (recordSeconds, stored) would grow for ever and are left as they are.
  SessionStats &operator+=(const SessionStats &session);
};

// {"party", "sessions", "records", "setup", "offline", "online", "stored"}; each phase {"seconds", "bytes_sent",
// "bytes_received", "messages_sent", "messages_received", "record_seconds", "ops": [{"name", "op", "seconds",
// "bytes_sent", "bytes_received"}]}, ops that cost nothing left out. Several parties: {"program", "parties": [...]};
// one: its object, with "program".
std::string toJson(const Program &program, std::span<const SessionStats> parties);

// The last record's ops and phases in Chrome's trace format (chrome://tracing, ui.perfetto.dev): a process for each
// party, a thread for each phase and its ops.
std::string toTrace(const Program &program, std::span<const SessionStats> parties);

// Seconds since it was made or last asked.
class Stopwatch {
public:
  double lap() { return interval().length; }
  // The lap, and when it began.
  TimeSpan interval() {
    const auto now = Clock::now(), before = std::exchange(last_, now);
    return {std::chrono::duration<double>(before.time_since_epoch()).count(),
            std::chrono::duration<double>(now - before).count()};
  }

private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

} // namespace sd
