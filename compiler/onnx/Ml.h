// Between the importers of the domain ai.onnx.ml.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

Value asFloats(const Value &x); // these ops take integers for the numbers that they are
Expected<Value> recordsOf(Emitter &emitter, const Value &given); // [N, features]; a single record may come as a list
Value listOf(const std::vector<double> &values);                 // [values]
Expected<std::string> postTransform(Node &node);                 // NONE, SOFTMAX or LOGISTIC
Expected<Value> transformed(Emitter &emitter, const Value &scores, std::string_view transform);
// What a regression gives: of a single target the number as it is, as onnxruntime does, and says so.
Expected<Value> regressed(Node &node, Emitter &emitter, const Value &scores, std::string_view transform);
// The position of the largest score of each row, the first of equal ones; opened.
Expected<Value> bestOf(Emitter &emitter, const Value &scores);
// The labels at opened positions. The program has no tables, so those that are no progression stay positions.
Expected<Value> labelsAt(Node &node, Emitter &emitter, const Value &positions, const Value &labels);
// Says that a value's columns are the scores of these classes.
void nameClasses(Emitter &emitter, const Value &scores, const Value &labels);
// Class labels in attributes: integers or strings, of which one is given.
Expected<Value> classLabels(Node &node, std::string_view integers, std::string_view strings);

} // namespace sd
