// The op of a plan entry, for the party that runs it: takes the entry's material from the bundle.
#pragma once

#include "runtime/offline/Bundle.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

// P0. `operands`: as many as entry.operands(); they outlive the run. `turned`: of a Compare (Compare.h). Linear is no
// interactive op: take its material.
template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> makeServiceOp(const Plan &plan, std::size_t entry, ServiceBundle<R> &bundle,
                                                      std::span<const MaskedTensor<R> *const> operands,
                                                      ThreadPool *pool, std::span<const R> turned = {});

// P1. `input`: the quantised record for an Input, else empty.
template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> makeClientOp(const Plan &plan, std::size_t entry, ClientBundle<R> &bundle,
                                                    std::span<const R> input, ThreadPool *pool);

} // namespace sd
