// Bytes to programs and weights. Nothing in the bytes is trusted: counts are held against what follows and against the
// limits of Format.h before anything is allocated, and what comes out obeys verifyProgram().
#pragma once

#include <string>

#include "ir/bytecode/Digest.h"

namespace sd {

Expected<Program> readProgram(Bytes bytes);

struct LoadedProgram {
  Program program;
  Digest digest; // digestOf() the file
};
Expected<LoadedProgram> readProgramFile(const std::string &path); // messages begin with the path

// The weights of `program`, whose .sdb has the digest `digest`, and whose ring is R.
template <RingWord R>
Expected<WeightSet<R>> readWeights(Bytes bytes, const Program &program, const Digest &digest);
template <RingWord R>
Expected<WeightSet<R>> readWeightsFile(const std::string &path, const LoadedProgram &program);

} // namespace sd
