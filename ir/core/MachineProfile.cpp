#include "ir/core/MachineProfile.h"

namespace sd {

// AMD Zen 3 (AVX2, VAES), two processors that share what they have: together they do the work of one. Otherwise as
// printed by bench_machine, rounded.
const MachineProfile &MachineProfile::twoCores() {
  static constexpr MachineProfile profile{
      .cores = 1,
      .message = 50e3,
      .messageByte = 0.3,
      .element = 2.6,
      .multiplyAdd = 0.041,
      .localElement = 0.2,
      .encrypt = 150e3,
      .accept = 45e3,
      .weights = 31e3,
      .sparseWeights = 8e3,
      .product = 7.6e3,
      .reply = 190e3,
      .decrypt = 60e3,
      .softSpokenOt = 115,
      .silentOt = 27,
      .correctionBit = 0,
      .transferTap = 1600,
      .setUp = 45e6,
  };
  return profile;
}

} // namespace sd
