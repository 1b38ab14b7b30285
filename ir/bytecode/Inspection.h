// What both forms of the inspection say; between their files.
#pragma once

#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/Prediction.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/ProgramMemory.h"
#include "ir/bytecode/Reader.h"
#include "ir/core/LinearHiding.h"

namespace sd {

struct Inspection {
  const Program &program;
  const Digest &digest;
  ProgramIo io;
  ProgramCost cost;
  std::array<PartyMemory, 2> memory; // the service's, the hospital's

  // Instructions of the clear part before and after the secure one, without inputs, constants, weights and the return.
  std::vector<std::uint32_t> preprocessing, postprocessing;
  std::vector<std::uint32_t> constants; // nn.constant: numbers of the model that both parties see
  std::vector<std::uint32_t> opened;    // share.output: what the hospital sees

  std::span<const NamedNetwork> networks;
  std::vector<Prediction> predictions; // by network

  static Expected<Inspection> make(const LoadedProgram &loaded, std::span<const NamedNetwork> networks);

  // Coefficients that the replies of RLWE layers send in an inference.
  std::uint64_t floodedCoefficients() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < cost.instructions.size(); ++i)
      if (cost.instructions[i].offline.linearProducts > 0)
        sum += static_cast<std::uint64_t>(elementCount(resultOf(static_cast<std::uint32_t>(i)).shape));
    return sum;
  }

  const Instruction &at(std::uint32_t index) const { return program.instructions[index]; }
  const Type &resultOf(std::uint32_t index) const { return program.slots[at(index).result]; }
};

// What the schema says, in lines for people.
std::string describeInput(const InputMeaning &input);
std::string describeOutput(const OutputMeaning &output);
std::string describeBounds(const CompiledFacts &facts);

// The sentences about who learns what, the same in both forms.
inline constexpr std::string_view kBothKnow =
    "this program: architecture, shapes, scales, bounds, schedules, names and the public constants";
inline constexpr std::string_view kServiceLearns = "nothing about the record or the result";
inline constexpr std::string_view kHospitalLearns =
    "the opened results, before any post-processing; nothing else about the weights";

} // namespace sd
