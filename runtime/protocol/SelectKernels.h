// The word arithmetic at both ends of a comparison: docs/protocols.md, steps 1 and 5. Local, vectorised.
// Bit i of a plane belongs to element i; nothing depends on a secret but data.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/core/Ring.h"

namespace sd {

// y' = Y + 2^bound + 2^(t - 1), and Q0 = (y' >> t) - 2^(bits - t) - 2^(bound - t), bits those of R; for t = 0 without
// 2^(t - 1) and 2^(bits - t).
template <RingWord R>
struct WordRounding {
  int t = 0;
  R offset = 0, correction = 0;
  WordRounding(int truncation, int bound)
      : t(truncation), offset((R{1} << bound) + (truncation ? R{1} << (truncation - 1) : 0)),
        correction(0 - (truncation ? R{1} << (kBitsOf<R> - truncation) : 0) - (R{1} << (bound - truncation))) {}
};

// P0, first message: out = (1 - 2 l0) Q0 + d.
template <RingWord R>
struct OpenWord {
  const R *y, *d;
  const std::uint64_t *l;
  R *out;
};
template <RingWord R>
void openWord(const WordRounding<R> &rounding, const OpenWord<R> &args, std::size_t n);

// What t > 0 adds: the wrap, and [sign and carry] as a word. For the selection's share b z + b c of either party.
template <RingWord R>
struct SelectWrap {
  const R *a, *la, *b, *carry;           // the material's wrapA, wrapLA, wrapB, carry
  const std::uint64_t *eA, *eB, *w, *nr; // w: [sign and carry] under rho; nr: P1 alone
};
template <RingWord R>
struct SelectService {
  const R *y, *select, *message, *addend; // addend may be null
  const std::uint64_t *l, *mu;
  const SelectWrap<R> *wrap;
  R *out;
};
template <RingWord R>
void selectService(const WordRounding<R> &rounding, const SelectService<R> &args, std::size_t n);

// P1: out = its share + addend - mask; `word` is what openWord sent.
template <RingWord R>
struct SelectClient {
  const R *r, *select, *word, *addend, *mask; // addend may be null
  const std::uint64_t *l, *mu;
  const SelectWrap<R> *wrap;
  R *out;
};
template <RingWord R>
void selectClient(const WordRounding<R> &rounding, const SelectClient<R> &args, std::size_t n);

// Truncation alone, with share wrap of cA nr, the opened e, and the carry's bit opened as w.
// P0: out = Q0 + (1 - 2e) wrap 2^(bits - t) + w + (1 - 2w) carry + message.
// P1: out = (r >> t) + (e nr + (1 - 2e) wrap) 2^(bits - t) + (1 - 2w) carry - mask.
template <RingWord R>
struct TruncateWords {
  const R *value, *wrap, *carry, *other; // value: Y or r; other: message or mask
  const std::uint64_t *e, *w;
  R *out;
};
template <RingWord R>
void truncateService(const WordRounding<R> &rounding, const TruncateWords<R> &args, std::size_t n);
template <RingWord R>
void truncateClient(const WordRounding<R> &rounding, const TruncateWords<R> &args, std::size_t n);

} // namespace sd
