// The scales of fixed point, from public facts alone: the ring, the options, shapes and declared ranges. `quantize`
// uses them; `equalise` chooses private factors that suit them.
#pragma once

#include "passes/Channels.h"
#include "passes/Pass.h"

namespace sd {

// A value is entered with about two bits more than the scale has for its declared range, [-4, 4] if there is none: its
// scale falls by a bit with each doubling of the range, and rises with each halving. One that meets a number of the
// model before any product has the scale itself, as far as the bound leaves room.
int enteredScale(const Graph &graph, ValueId value, int scaleBits, int boundBits);

// Columns of a record may be of very different sizes, and only the weights tell: short ones are entered at several
// scales, from which the service takes, column by column, the one that suits its weight. The scales, coarsest first;
// one where that is of no use.
std::vector<int> enteredScales(const Graph &graph, ValueId value, int scaleBits, int boundBits);

// By value: how large it may be, for all that is public: as large as the inputs that it comes from, unless a factor or
// a function such as a sigmoid is between. The bits of their declared ranges' integer part, the most of all; 0 for
// others.
std::vector<int> rawBitsOf(const Graph &graph);

// Scales of a product of x by weights: how many inputs are added up, whether the results' size is the service's to
// choose (Channels), and the scale of x.
struct ProductShape {
  std::int64_t fanIn = 1;
  bool scalable = false, entered = false;
  int xScale = 0;
  int rawBits = 0;          // rawBitsOf() x
  bool balanced = false;    // the size of x, too, is the service's to choose
  std::int64_t outputs = 1; // of all products in the program: the more, the smaller weights must be to be hidden
};
// Of the weights. Their rounding errors add up over the inputs, so that the more there are, the finer they are; unless
// the results are real numbers of unknown size, which need the room: more of it where they may be raw.
int weightScale(const ProductShape &product, const PassOptions &options, int ringBits);

// Of nn.conv, nn.matmul, nn.batchnorm, nn.mul or nn.div with constants.
ProductShape productShapeOf(const Graph &graph, const Channels &channels, const Op &op, int xScale);

} // namespace sd
