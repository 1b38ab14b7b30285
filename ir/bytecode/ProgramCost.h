// What a program costs, known from it alone, before any run. Online figures equal what the transport counts, to the
// byte. Index 0 is the service (P0), 1 the hospital (P1); traffic stands under its sender.
#pragma once

#include <array>

#include "ir/bytecode/Program.h"
#include "ir/core/LinearTransfer.h"
#include "ir/core/ProtocolCost.h"

namespace sd {

using ByParty = std::array<std::uint64_t, 2>;

struct OfflineCost { // with no third party
  ByParty bytes{};   // of correlations: linear layers' ciphertexts, OT payloads; not the OT extension's own, nor frames
  std::uint64_t ots = 0;            // correlated OTs, P0 receives
  std::uint64_t reverseOts = 0;     // P1 receives
  std::uint64_t linearProducts = 0; // of polynomials, in linear layers
  std::uint64_t dealerBytes = 0;    // from a dealer in its place: corrections to P1, beside seeds and frames
  std::uint64_t totalBytes() const { return bytes[0] + bytes[1]; }
  OfflineCost &operator+=(const OfflineCost &);
};

struct InstructionCost {
  ByParty onlineBytes{}; // payload
  OfflineCost offline;
  std::uint64_t multiplyAdds = 0; // P0's, online
  // What `offline` is made of, in a linear layer: one of both; in a product of matrices: the packing.
  PackingCost packing;
  TransferCost transfers;
};

struct GroupCost {
  ByParty messages{};
  ByParty onlineBytes{}; // frame headers included
};

struct ProgramCost {
  std::vector<InstructionCost> instructions;
  std::vector<GroupCost> groups;

  // Totals of one inference.
  ByParty messages{};
  ByParty onlineBytes{};        // frame headers included
  std::uint64_t roundTrips = 0; // the parties speak in turn: half the messages, rounded up
  OfflineCost offline;
  std::uint64_t multiplyAdds = 0;
  std::uint64_t comparisons = 0; // elements of all ReLUs and maxima

  std::uint64_t weightBytes = 0; // in P0's memory

  std::uint64_t totalOnlineBytes() const { return onlineBytes[0] + onlineBytes[1]; }
};

// Of one element of an interactive instruction.
ProtocolCost protocolOf(const Program &program, const Instruction &instruction);

// `program` obeys verifyProgram(). Errors for layers too large to plan (a tensor above 2^27 elements).
Expected<ProgramCost> costOf(const Program &program);

} // namespace sd
