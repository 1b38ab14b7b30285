// A value of the ONNX graph while it is imported: known now, or computed by the program.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ir/Module.h"

namespace sd {

using WholeNumbers = std::shared_ptr<const Tensor<std::int64_t>>;
using Strings = std::shared_ptr<const Tensor<std::string>>; // names of classes alone

// Of a computed value that stands for the integers value / scale + zero, not rounded.
struct Quantisation {
  double scale, zero;
  bool isModels = false; // the model's own, of a value clipped to what its integers can say: an output can be rounded
};

class Value {
public:
  // What the program computes is secret until an output opens it: the hospital then goes on in the clear. The
  // result of a sigmoid or softmax may be either: opened at the end of the network, secret inside.
  enum class Stage : std::uint8_t { Secret, Openable, Opened };

  Value() = default; // no value: an optional input left out
  static Value of(Floats32 floats, std::string name = {});
  static Value of(WholeNumbers ints, std::string name = {});
  static Value of(Strings strings);
  static Value of(Tensor<float> floats) { return of(std::make_shared<const Tensor<float>>(std::move(floats))); }
  static Value of(Tensor<std::int64_t> ints) {
    return of(std::make_shared<const Tensor<std::int64_t>>(std::move(ints)));
  }
  static Value scalar(float value) { return of(Tensor<float>(Shape{}, value)); }
  static Value computed(ValueId id, Shape shape, Stage stage, bool isInteger);

  bool isConstant() const { return floats_ || ints_ || strings_; }
  bool isStrings() const { return strings_ != nullptr; }
  bool isInteger() const { return ints_ || integerResult_; } // booleans count as integers
  bool isOpened() const { return stage_ == Stage::Opened; }
  bool isOpenable() const { return stage_ == Stage::Openable; }
  bool isNone() const { return !isConstant() && id_ == kNoValue; }
  const Shape &shape() const {
    return floats_ ? floats_->shape : ints_ ? ints_->shape : strings_ ? strings_->shape : shape_;
  }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape().size()); }
  std::int64_t size() const { return elementCount(shape()); }
  Stage stage() const { return stage_; }

  // For constants of that kind, and for computed values; assert otherwise.
  const Floats32 &floats() const { return assert(floats_), floats_; }
  const WholeNumbers &ints() const { return assert(ints_), ints_; }
  const Strings &strings() const { return assert(strings_), strings_; }
  ValueId id() const { return assert(id_ != kNoValue), id_; }

  Value named(std::string name) const; // the same value

  // Quantised values count as integers; the program holds the real numbers that they stand for.
  const std::optional<Quantisation> &quantisation() const { return quantisation_; }
  Value quantisedBy(std::optional<Quantisation> quantisation) const;
  Value dequantised() const; // those real numbers

  // ONNX's number of the type that a constant was stored in; 0: not known.
  int elementType() const { return elementType_; }
  Value storedAs(int elementType) const;
  const std::string &name() const { return name_; }

private:
  Floats32 floats_;
  WholeNumbers ints_;
  Strings strings_;
  ValueId id_ = kNoValue;
  Shape shape_; // of a computed value
  Stage stage_ = Stage::Secret;
  bool integerResult_ = false;
  std::optional<Quantisation> quantisation_;
  int elementType_ = 0;
  std::string name_; // in the model, for diagnostics; may be empty
};

// "3x4 floats", "5 integers (constant)": for diagnostics.
std::string describe(const Value &value);

// A name as it may stand in a message: printable, of bounded length.
std::string printable(std::string_view name);

} // namespace sd
