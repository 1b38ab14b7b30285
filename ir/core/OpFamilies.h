// Groups of ops that most concerns treat alike, for switches over OpKind: `case SD_NN_SMOOTH:`.
//
// No such switch has a `default:`. A new op is in no family, so the compiler (-Wswitch) names each switch that has to
// say something about it; where a family fits, write the op into it. A switch over one level alone ends with all ops of
// the other: NnCases.def, ShareCases.def.
#pragma once

#include "ir/core/OpKind.h"

// clang-format off

// Layout: reads elements from other places, and changes none.
#define SD_NN_LAYOUT OpKind::Reshape: case OpKind::Transpose: case OpKind::Concat: case OpKind::Pad: case OpKind::Gather
#define SD_SHARE_LAYOUT OpKind::ShareReshape: case OpKind::ShareTranspose: case OpKind::ShareConcat: \
  case OpKind::SharePad: case OpKind::ShareGather

// nn level.
#define SD_NN_ENDS OpKind::Input: case OpKind::Constant: case OpKind::Return
#define SD_NN_PRODUCTS OpKind::Conv: case OpKind::MatMul // of a value and weights
#define SD_NN_ARITHMETIC OpKind::Add: case OpKind::Sub: case OpKind::Mul: case OpKind::Div
#define SD_NN_POOLS OpKind::MaxPool: case OpKind::AvgPool
#define SD_NN_SMOOTH OpKind::Tanh: case OpKind::Erf: case OpKind::Elu: case OpKind::Softplus: case OpKind::Softsign
// What only the hospital computes, on opened values; Sigmoid and Softmax unless approximated, Function unless it is a norm.
#define SD_NN_FINAL OpKind::Softmax: case OpKind::LogSoftmax: case OpKind::Sigmoid: case OpKind::ReduceSum: \
  case SD_NN_RANKING
#define SD_NN_RANKING OpKind::ArgMax: case OpKind::TopK: case OpKind::ArgTopK

// share level.
#define SD_SHARE_PACKED OpKind::ShareConv: case OpKind::ShareMatMul: case OpKind::ShareScale // products with weights
#define SD_SHARE_SUMS OpKind::ShareAdd: case OpKind::ShareSub: case OpKind::ShareSumPool // of values, without weights
#define SD_SHARE_CONSTANTS OpKind::ShareMulC: case OpKind::ShareAddC: case OpKind::ShareRescale // public ones
#define SD_SHARE_PRODUCTS OpKind::ShareMul: case OpKind::ShareDot // of two values
#define SD_SHARE_COMPARISONS OpKind::ShareTruncate: case OpKind::ShareRelu: case OpKind::ShareMax

// clang-format on
