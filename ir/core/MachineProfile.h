// What the parties' work takes on a machine: for predictions and the choice of schedules, never for what is sent or
// accepted.
#pragma once

namespace sd {

// Nanoseconds of one core. P0 is the service, P1 the hospital.
struct MachineProfile {
  double cores = 1; // that both parties together are worth

  // Online.
  double message = 0;      // sending or receiving one, by either party, with the waking of threads
  double messageByte = 0;  // by either party: writing or reading a byte of one, with what it is computed from
  double element = 0;      // by either party: of an interactive op, beside its bytes
  double multiplyAdd = 0;  // P0's, in linear layers
  double localElement = 0; // P0's: of another local op's result

  // Linear layers by RLWE, offline. Of a polynomial:
  double encrypt = 0;       // P1: packed and encrypted for an upload
  double accept = 0;        // P0: an upload unpacked, its other half drawn
  double weights = 0;       // P0: packed and transformed
  double sparseWeights = 0; // P0: a quarter of that, if they are in X^4 (LinearPacking.h)
  double product = 0;       // P0: with both halves of an upload, and summed up
  double reply = 0;         // P0: masked, switched to the reply modulus and packed
  double decrypt = 0;       // P1: a reply opened

  // Other correlations, offline. An OT is one correlation and its pads; by either party:
  double softSpokenOt = 0;  // of the non-silent extension
  double silentOt = 0;      // of the silent ones
  double correctionBit = 0; // a bit of what P1 sends beside the extension
  double transferTap = 0;   // a weight that meets an element of a layer by transfers

  double setUp = 0; // both parties together, once a session: base transfers and keys

  static const MachineProfile &twoCores(); // for both parties together
};

} // namespace sd
