// Records in, results out: tensors that hold several records, cut up and put together again.
#pragma once

#include <map>
#include <string>

#include "ir/bytecode/ProgramIo.h"

namespace sd {

using NamedTensors = std::map<std::string, Tensor<float>>;

// One map of inputs a record. An input of shape [B, ...] may come as [N, ...] with N a multiple of B (N / B records,
// run one after another), as [N, product of ...] (a table, one line each), or, if B is 1, without the leading
// dimension. All inputs must have as many records. An input without a name, "", is the only one's.
Expected<std::vector<NamedTensors>> splitRecords(const Program &program, NamedTensors inputs);

// Checks one record against the declared shapes and ranges; no NaN, no infinity.
Expected<void> checkRecord(const Program &program, const NamedTensors &record);

// The i-th output of all records along its first axis; scalars become a vector.
Tensor<float> joinOutputs(std::span<const std::vector<Tensor<float>>> records, std::size_t output);

} // namespace sd
