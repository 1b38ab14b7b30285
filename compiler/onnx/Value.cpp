#include "compiler/onnx/Value.h"

namespace sd {

Value Value::of(Floats32 floats, std::string name) {
  Value value;
  value.floats_ = std::move(floats);
  value.name_ = std::move(name);
  return value;
}

Value Value::of(WholeNumbers ints, std::string name) {
  Value value;
  value.ints_ = std::move(ints);
  value.name_ = std::move(name);
  return value;
}

Value Value::of(Strings strings) {
  Value value;
  value.strings_ = std::move(strings);
  return value;
}

Value Value::computed(ValueId id, Shape shape, Stage stage, bool isInteger) {
  Value value;
  value.id_ = id;
  value.shape_ = std::move(shape);
  value.stage_ = stage;
  value.integerResult_ = isInteger;
  return value;
}

Value Value::named(std::string name) const {
  Value copy = *this;
  copy.name_ = std::move(name);
  return copy;
}

Value Value::quantisedBy(std::optional<Quantisation> quantisation) const {
  Value copy = *this;
  if (quantisation) copy.integerResult_ = true;
  copy.quantisation_ = quantisation;
  return copy;
}

Value Value::dequantised() const {
  assert(quantisation_);
  Value copy = *this;
  copy.integerResult_ = false;
  copy.quantisation_.reset();
  copy.elementType_ = 0;
  return copy;
}

Value Value::storedAs(int elementType) const {
  Value copy = *this;
  copy.elementType_ = elementType;
  return copy;
}

std::string describe(const Value &value) {
  if (value.isNone()) return "nothing";
  return fmt::format("{}{} of shape {}", value.isConstant() ? "constant " : "",
                     value.isStrings()   ? "strings"
                     : value.isInteger() ? "integers"
                                         : "floats",
                     toString(value.shape()));
}

std::string printable(std::string_view name) {
  constexpr std::size_t kLongest = 120;
  std::string out;
  for (char c : name.substr(0, kLongest)) {
    if (c >= 0x20 && c < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  if (name.size() > kLongest) out += "...";
  return out;
}

} // namespace sd
