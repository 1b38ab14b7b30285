// The two halves of a shared value x = X + r mod 2^32, as types that can't be confused. Only Output joins them.
#pragma once

#include "ir/core/Ring.h"
#include "runtime/crypto/Secret.h"

namespace sd {

template <class Role>
class ShareHalf {
public:
  ShareHalf() = default;
  explicit ShareHalf(std::size_t elements) : words_(elements) {}
  explicit ShareHalf(SecretVector<Ring> words) : words_(std::move(words)) {}

  std::size_t size() const { return words_.size(); }
  std::span<Ring> span() { return words_.span(); }
  std::span<const Ring> span() const { return words_.span(); }
  ShareHalf clone() const { return ShareHalf(words_.clone()); }
  SecretVector<Ring> release() && { return std::move(words_); }

private:
  SecretVector<Ring> words_;
};

using MaskedTensor = ShareHalf<struct MaskedRole>; // X: P0's, online
using MaskTensor = ShareHalf<struct MaskRole>;     // r: P1's, known offline

} // namespace sd
