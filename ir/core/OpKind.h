// The op table of Ops.def as data.
#pragma once

#include <span>
#include <string_view>

#include "ir/core/Attributes.h"

namespace sd {

enum class OpKind : std::uint8_t {
#define SD_OP(kind, ...) kind,
#include "ir/core/Ops.def"
#undef SD_OP
};

enum class Level : std::uint8_t { Nn, Share };
enum class Trait : std::uint8_t { None, Interactive, NoResult };

struct OpInfo {
  OpKind kind;
  std::string_view mnemonic;
  Level level;
  std::uint8_t opcode; // 0: not in the bytecode
  std::size_t minOperands, maxOperands;
  Trait trait;
  std::span<const Attr> required, optional;
  std::string_view summary;

  bool isInteractive() const { return trait == Trait::Interactive; }
  bool hasResult() const { return trait != Trait::NoResult; }
};

std::span<const OpInfo> allOps(); // in order of OpKind
const OpInfo &info(OpKind kind);
const OpInfo *findOp(std::string_view mnemonic); // null if there is none
const OpInfo *findOpcode(std::uint8_t opcode);   // null if there is none

} // namespace sd
