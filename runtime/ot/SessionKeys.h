// The public keys of one direction of OT, all derived from the name of the base transfers' run.
#pragma once

#include "runtime/crypto/AesHash.h"

namespace sd {

enum class KeyUse : std::uint8_t { SubspaceTrees, SubspaceUnits, CodeRows, CorrelatedTrees, Pads, Reverse };

inline Block sessionBlock(Block session, KeyUse use) {
  Block key;
  aesKernels().counter(AesKey(session), static_cast<std::uint64_t>(use), &key, 1);
  return key;
}

inline AesKey sessionKey(Block session, KeyUse use) { return AesKey(sessionBlock(session, use)); }

} // namespace sd
