// The op of a plan entry, for the party that runs it: takes the entry's material from the bundle.
#pragma once

#include "runtime/offline/Bundle.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

// P0. `operands`: as many as entry.operands(); they outlive the run. `turned`: of a Compare (Compare.h). Linear is no
// interactive op: take its material.
Expected<std::unique_ptr<ServiceOp>> makeServiceOp(const Plan &plan, std::size_t entry, ServiceBundle &bundle,
                                                   std::span<const MaskedTensor *const> operands, ThreadPool *pool,
                                                   std::span<const Ring> turned = {});

// P1. `input`: the quantised record for an Input, else empty.
Expected<std::unique_ptr<ClientOp>> makeClientOp(const Plan &plan, std::size_t entry, ClientBundle &bundle,
                                                 std::span<const Ring> input, ThreadPool *pool);

} // namespace sd
