// Between the files of the rules; others use OpRules.h.
#pragma once

#include "ir/core/OpRules.h"

namespace sd::rules {

// What an op's own rule sees: the general constraints 1 to 5 of Constraints.def hold already.
struct Case {
  std::span<const Type> in;
  const Attrs &attrs;
  const Type *declared;
  int ringBits;

  int boundBits() const { return ringBits - 2; }                                        // kBoundBitsOf the ring
  std::int64_t mostInteger() const { return (std::uint64_t{1} << (ringBits - 1)) - 1; } // centred
};

using Rule = Expected<Type> (*)(const Case &);

// One for each op; a forgotten one does not link.
#define SD_OP(kind, ...) Expected<Type> rule##kind(const Case &);
#include "ir/core/Ops.def"
#undef SD_OP

// Who holds an operand of the op.
Holder operandHolder(OpKind kind, std::size_t operand);

template <class... Args>
tl::unexpected<Error> broken(int constraint, fmt::format_string<Args...> format, Args &&...args) {
  return fail("C{}: {}", constraint, fmt::format(format, std::forward<Args>(args)...));
}

inline bool within(std::int64_t value, std::int64_t least, std::int64_t most) {
  return least <= value && value <= most;
}

// Result shapes common to both levels, with the same constraint numbers.
Expected<Shape> convShape(const Case &);
Expected<Shape> matMulShape(const Case &);
Expected<Shape> poolShape(const Case &);
Expected<Shape> reshapeShape(const Case &);
Expected<Shape> transposeShape(const Case &);
Expected<Shape> concatShape(const Case &);
Expected<Shape> padShape(const Case &);
Expected<Shape> gatherShape(const Case &);

} // namespace sd::rules
