// A module as a graph in DOT, for Graphviz: a node an op, an edge from each value to each op that uses it.
#pragma once

#include "ir/Module.h"

namespace sd {

// Boxes say mnemonic, number of the value and `loc`, edges say types. Who holds a result shows in the box: ellipses are
// plaintext, houses the service's weights, boxes shares.
std::string dot(const Module &module);

} // namespace sd
