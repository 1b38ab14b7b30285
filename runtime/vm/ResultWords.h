// Results in words, as the program says what they mean: classes, findings with their thresholds, values with units.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/bytecode/Program.h"
#include "ir/bytecode/ResultKinds.h"

namespace sd {

// One value of a result: a class with its score, a finding with its probability, or a measurement.
struct ResultCell {
  std::string output, name, unit;
  std::optional<double> value; // none: decisions alone are opened
  std::optional<bool> holds;   // the class was chosen, the finding is present; none for measurements
};

class ResultWords {
public:
  // `translations` are other names for the program's classes or findings (--classes): one for each, in their order, or
  // OLD=NEW. Error if the program has none such.
  static Expected<ResultWords> make(const Program &program, const std::vector<std::string> &translations);

  // An output of one record. "no valid result" where it is NaN.
  std::string describe(std::size_t output, const Tensor<float> &value) const;

  // The same in parts; every value of it. A class given by its number is one cell.
  std::vector<ResultCell> cells(std::size_t output, const Tensor<float> &value) const;

private:
  struct Output {
    OutputMeaning meaning;
    std::size_t classes = 0; // that are told apart; 0: none
    OpKind tail = OpKind::Identity;
  };

  std::string name(const Output &output, std::size_t index) const;
  std::string item(const Output &output, std::size_t index, float value) const;
  std::string finding(const Output &output, std::size_t index, float value) const;
  std::string classesOf(const Output &output, std::span<const float> values) const;

  std::vector<Output> outputs_;
  std::map<std::string, std::string> translated_; // by the program's name
};

} // namespace sd
