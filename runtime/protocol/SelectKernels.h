// The word arithmetic at both ends of a comparison: docs/protocols.md, steps 1 and 5. Local, vectorised.
// Bit i of a plane belongs to element i; nothing depends on a secret but data.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/core/Ring.h"

namespace sd {

// y' = Y + 2^bound (- 1 if t > 0), and Q0 = (y' >> t) - 2^(32 - t) - 2^(bound - t) (+ 1 if t > 0).
struct Rounding {
  int t = 0;
  Ring offset = 0, correction = 0;
  Rounding(int truncation, int bound)
      : t(truncation), offset((Ring{1} << bound) - (truncation ? 1 : 0)),
        correction((truncation ? 1 - (Ring{1} << (32 - truncation)) : 0) - (Ring{1} << (bound - truncation))) {}
};

// P0, first message: out = (1 - 2 l0) Q0 + d.
struct OpenWord {
  const Ring *y, *d;
  const std::uint64_t *l;
  Ring *out;
};
void openWord(const Rounding &rounding, const OpenWord &args, std::size_t n);

// The selection's share b z for both parties. Null wrap: t = 0.
struct SelectWrap {
  const Ring *a, *la, *b;            // the material's wrapA, wrapLA, wrapB
  const std::uint64_t *eA, *eB, *nr; // nr: P1 alone
};
struct SelectService {
  const Ring *y, *select, *message, *addend; // addend may be null
  const std::uint64_t *l, *mu;
  const SelectWrap *wrap;
  Ring *out;
};
void selectService(const Rounding &rounding, const SelectService &args, std::size_t n);

// P1: out = its share + addend - mask; `word` is what openWord sent.
struct SelectClient {
  const Ring *r, *select, *word, *addend, *mask; // addend may be null
  const std::uint64_t *l, *mu;
  const SelectWrap *wrap;
  Ring *out;
};
void selectClient(const Rounding &rounding, const SelectClient &args, std::size_t n);

// Truncation alone, with share wrap of c nr and the opened e. P0: out = Q0 + (1 - 2e) wrap 2^(32-t) + message.
// P1: out = (r >> t) + (e nr + (1 - 2e) wrap) 2^(32-t) - mask.
struct TruncateWords {
  const Ring *value, *wrap, *other; // value: Y or r; other: message or mask
  const std::uint64_t *e;
  Ring *out;
};
void truncateService(const Rounding &rounding, const TruncateWords &args, std::size_t n);
void truncateClient(const Rounding &rounding, const TruncateWords &args, std::size_t n);

} // namespace sd
