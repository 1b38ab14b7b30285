// A model as a picture.
#pragma once

#include "tools/sdc/Layers.h"

namespace sd::tool {

// The ops of the model, inputs on top, those that take online bytes tinted by their part of
// `onlineBytes`: SVG to stand in HTML. Large
// or wide networks are folded: a box then holds all ops at the same distances from the inputs.
std::string drawingOf(const Module &imported, const std::vector<Layer> &layers, std::uint64_t onlineBytes);

// How many values lie in each of some twenty steps from 0 to the largest, as SVG; `unit` names what is counted.
std::string histogramOf(const std::vector<double> &values, const std::string &unit);

} // namespace sd::tool
