// Weights that the linear protocol would not hide: the service refuses them when it runs, so the compiler says so.
#pragma once

#include "compiler/RoundingAdvice.h"

namespace sd {

// How well an inference of a lowered module hides its weights (ir/core/LinearHiding.h): 2^-bits; infinite without RLWE
// layers. `most`: the layer that tells the most.
struct Hiding {
  double bits = 0;
  std::string most;
};
Hiding hidingOf(const Module &lowered);

// What to say of it, with a setting that was tried; empty if the service will run the weights.
std::string adviseOnHiding(const Compilation &compilation, const Module &lowered);

} // namespace sd
