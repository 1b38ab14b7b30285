// The two halves of a shared value x = X + r of the ring R, as types that can't be confused. Only Output joins them.
#pragma once

#include "ir/core/Ring.h"
#include "runtime/crypto/Secret.h"

namespace sd {

template <class Role, RingWord R>
class ShareHalf {
public:
  ShareHalf() = default;
  explicit ShareHalf(std::size_t elements) : words_(elements) {}
  explicit ShareHalf(SecretVector<R> words) : words_(std::move(words)) {}

  std::size_t size() const { return words_.size(); }
  std::span<R> span() { return words_.span(); }
  std::span<const R> span() const { return words_.span(); }
  ShareHalf clone() const { return ShareHalf(words_.clone()); }
  SecretVector<R> release() && { return std::move(words_); }

private:
  SecretVector<R> words_;
};

template <RingWord R>
using MaskedTensor = ShareHalf<struct MaskedRole, R>; // X: P0's, online
template <RingWord R>
using MaskTensor = ShareHalf<struct MaskRole, R>; // r: P1's, known offline

} // namespace sd
