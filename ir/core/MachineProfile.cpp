#include "ir/core/MachineProfile.h"

namespace sd {

// AMD Zen 3 (AVX2, VAES), two processors that share what they have: together they do the work of one. Otherwise as
// printed by bench_machine, rounded.
const MachineProfile &MachineProfile::twoCores() {
  static constexpr MachineProfile profile{
      .cores = 1,
      .message = 50e3,
      .messageByte = 0.46,
      .element = 5.8,
      .multiplyAdd = 0.053,
      .localElement = 0.2,
      .encrypt = 240e3,
      .accept = 34e3,
      .weights = 72e3,
      .product = 11e3,
      .reply = 520e3,
      .decrypt = 120e3,
      .softSpokenOt = 130,
      .silentOt = 27,
      .correctionBit = 0,
      .transferTap = 1800,
      .setUp = 38e6,
  };
  return profile;
}

} // namespace sd
