// Highway's run-time dispatch for kernels that are templates over the ring: HWY_EXPORT takes plain names alone, so each
// instance gets one. `name`Impl<R> is the template. The user includes hwy/highway.h, which is read once a target.
#pragma once

#include "ir/core/Ring.h"

namespace sd {

template <RingWord R, class Kernel32, class Kernel64>
constexpr auto kernelOf(Kernel32 *kernel32, Kernel64 *kernel64) {
  if constexpr (kBitsOf<R> == 32)
    return kernel32;
  else
    return kernel64;
}

} // namespace sd

// In HWY_NAMESPACE, once a target.
#define SD_RING_KERNEL(name)                                                                                           \
  inline constexpr auto &name##32 = name##Impl<Ring32>;                                                                \
  inline constexpr auto &name##64 = name##Impl<Ring64>
// In namespace sd, once.
#define SD_RING_EXPORT(name)                                                                                           \
  HWY_EXPORT(name##32);                                                                                                \
  HWY_EXPORT(name##64)
// The instance for R, to be called.
#define SD_RING_DISPATCH(R, name) kernelOf<R>(HWY_DYNAMIC_DISPATCH(name##32), HWY_DYNAMIC_DISPATCH(name##64))
