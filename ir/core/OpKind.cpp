#include "ir/core/OpKind.h"

#include <algorithm>
#include <array>

namespace sd {

namespace {

template <class... A>
constexpr std::array<Attr, sizeof...(A)> list(A... attrs) {
  return {attrs...};
}

#define SD_OP(kind, mnemonic, level, opcode, least, most, trait, required, optional, summary)                          \
  constexpr auto kRequired##kind = list required;                                                                      \
  constexpr auto kOptional##kind = list optional;
#include "ir/core/Ops.def"
#undef SD_OP

constexpr OpInfo kOps[] = {
#define SD_OP(kind, mnemonic, level, opcode, least, most, trait, required, optional, summary)                          \
  {OpKind::kind, mnemonic, Level::level, opcode, least, most, Trait::trait, kRequired##kind, kOptional##kind, summary},
#include "ir/core/Ops.def"
#undef SD_OP
};

} // namespace

std::span<const OpInfo> allOps() { return kOps; }

const OpInfo &info(OpKind kind) { return kOps[static_cast<std::size_t>(kind)]; }

const OpInfo *findOp(std::string_view mnemonic) {
  auto it = std::ranges::find(kOps, mnemonic, &OpInfo::mnemonic);
  return it == std::end(kOps) ? nullptr : it;
}

const OpInfo *findOpcode(std::uint8_t opcode) {
  auto it = opcode == 0 ? std::end(kOps) : std::ranges::find(kOps, opcode, &OpInfo::opcode);
  return it == std::end(kOps) ? nullptr : it;
}

} // namespace sd
