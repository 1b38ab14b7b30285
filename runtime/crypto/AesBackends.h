// The backends' tables, for AesHash.cpp alone; null where the processor or the build target lacks the instructions.
#pragma once

#include "runtime/crypto/AesHash.h"

namespace sd::detail {

const AesKernels *portableAes();
const AesKernels *aesNi();
const AesKernels *vaes256();
const AesKernels *vaes512();

// The map s of AesHash.h.
inline Block orthomorphism(Block x) { return {x.hi, x.hi ^ x.lo}; }

} // namespace sd::detail
