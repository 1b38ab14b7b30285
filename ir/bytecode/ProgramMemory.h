// The memory that a run takes, known from the program alone: what a machine must have, and what sd-run holds against
// what it is given before it allocates. docs/benchmarks.md compares it with measurements.
#pragma once

#include "ir/bytecode/ProgramCost.h"

namespace sd {

// Where a session's correlations come from.
enum class CorrelationSource : std::uint8_t { TwoParty, Dealer, Store };

// Resident at the peak, in bytes, of one party's process with one session and small records.
struct PartyMemory {
  std::uint64_t process = 0;      // code, libraries, threads, connections
  std::uint64_t program = 0;      // the program, its plan and statistics
  std::uint64_t weights = 0;      // P0's
  std::uint64_t cache = 0;        // P0's: prepared weights, of all sessions
  std::uint64_t correlations = 0; // of one inference, from when they are made to when they are used
  std::uint64_t fresh = 0;        // those of them that are there before the OT extension's are
  std::uint64_t masks = 0;        // P1's, of all shares, while correlations are made
  std::uint64_t linear = 0;       // ciphertexts on the way
  std::uint64_t extension = 0;    // of OTs
  std::uint64_t window = 0;       // beside the correlations that are made of OTs at once
  std::uint64_t online = 0;       // values and messages

  std::uint64_t dealt = 0; // P1's: what a dealer and the service send ahead

  // Of one session beside what all share: the largest of its phases. With TwoParty, `cache` comes to it.
  std::uint64_t session(CorrelationSource source = CorrelationSource::TwoParty) const;
  std::uint64_t peak() const { return process + weights + cache + session(); }
};

// The fields by name, for lists.
struct MemoryPart {
  std::string_view name;
  std::uint64_t PartyMemory::*bytes;
};
std::span<const MemoryPart> memoryParts();

struct MemoryOptions {
  std::uint64_t weightCache = 256'000'000; // bytes of prepared weights that the service keeps
  int threads = 2;
};

// Index 0 is the service. `cost` is costOf(program).
std::array<PartyMemory, 2> memoryOf(const Program &program, const ProgramCost &cost, const MemoryOptions &options = {});

} // namespace sd
