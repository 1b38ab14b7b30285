// The hospital's own part of a program: the clear ops that prepare its record and those behind the opened result.
#pragma once

#include "ir/bytecode/ProgramIo.h"
#include "ir/core/Ring.h"
#include "runtime/crypto/Secret.h"
#include "runtime/vm/Records.h"

namespace sd {

class ClearPart {
public:
  // Checks the record and runs the ops ahead of the secure part. `program` outlives the result.
  static Expected<ClearPart> prepare(const Program &program, const NamedTensors &record);

  // The integers, of the program's ring R, that share.input instruction `input` brings in.
  template <RingWord R>
  Expected<SecretVector<R>> quantized(const Instruction &input) const;

  // What share.output instruction `output` has opened. Integers that no right run gives show that a value inside left
  // its bound, though not every such value is seen.
  template <RingWord R>
  void setOpened(const Instruction &output, const SecretVector<R> &values);

  // Runs the ops behind the secure part, once every output is set; the program's outputs in order. All are NaN if a
  // value was seen to have left its bound: the peer must not learn of it, so it is no error here.
  Expected<std::vector<Tensor<float>>> finish();

private:
  explicit ClearPart(const Program &program) : program_(&program), values_(program.slots.size()) {}
  Expected<void> run(std::uint32_t begin, std::uint32_t end, const NamedTensors &record);

  const Program *program_;
  bool valid_ = true;
  ProgramIo io_;
  std::vector<Tensor<float>> values_; // by slot
};

} // namespace sd
