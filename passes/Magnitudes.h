// How large the values of an nn module are: proved bounds, and what is typical if the elements that a sum adds up do
// not know of each other.
#pragma once

#include "passes/Compact.h"
#include "passes/Rewrite.h"

namespace sd {

// Of each element; compact. Bounds are infinite where nothing is known.
struct Magnitude {
  Compact low, high;      // of every record within the declared ranges
  Compact mean, variance; // typical
  double bound() const;   // largest magnitude of all elements
};

class Magnitudes {
public:
  explicit Magnitudes(const Graph &graph);

  Magnitude of(ValueId value) const;
  // Whether all inputs have declared ranges: else what is typical is a guess.
  bool known() const { return known_; }
  Compact boundOf(ValueId value) const;   // max(|low|, |high|)
  Compact typicalOf(ValueId value) const; // |mean| and four standard deviations, within the bound
  Compact meanSquareOf(ValueId value) const;

private:
  void findRecords();
  Magnitude normalised(const Op &op, Magnitude m) const;
  Magnitude visit(const Op &op) const;
  Magnitude linear(const Op &op) const;
  Magnitude affine(const Op &op, const Compact &factor, const Compact &summand) const;
  Magnitude sum(const Op &op) const;
  Magnitude rectified(const Op &op) const;
  Magnitude move(const Op &op) const;
  Magnitude alongAxisOnly(const Op &op) const;

  const Graph &graph_;
  std::vector<Magnitude> values_;
  // By value: whether it is a record as it is, whose columns may be of very different sizes within their common range;
  // whether it is one behind sums and products with constants.
  std::vector<bool> records_, normalised_;
  // Of a normalised record, the product of the factors that follow it; none if its positions change on the way.
  std::vector<std::optional<Compact>> factorsAhead_;
  bool known_ = true;
};

} // namespace sd
