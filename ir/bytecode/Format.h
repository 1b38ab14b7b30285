// The frozen numbers of .sdb and .sdw (docs/bytecode.md is the document). None may change within a version.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ir/core/Ring.h"
#include "ir/core/Type.h"

namespace sd::format {

using Magic = std::array<std::uint8_t, 8>;
inline constexpr Magic kProgramMagic = {0x89, 'S', 'D', 'B', '\r', '\n', 0x1a, '\n'};
inline constexpr Magic kWeightsMagic = {0x89, 'S', 'D', 'W', '\r', '\n', 0x1a, '\n'};
inline constexpr std::uint16_t kLeastProgramVersion = 1, kProgramVersion = 2; // what is read; what is written
inline constexpr std::uint16_t kWeightsVersion = 1;

// Both headers begin: magic, u16 version, u16 ring bits, u32 flags (0), u64 bytes of content.
inline constexpr std::size_t kPrefixBytes = 24;
inline constexpr std::size_t kDigestBytes = 32;
inline constexpr std::size_t kProgramHeaderBytes = kPrefixBytes + kDigestBytes; // the prefix's and content's SHA-256
inline constexpr std::size_t kWeightsHeaderBytes = kPrefixBytes + 2 * kDigestBytes; // the program's digest before it

// Sections of a program, in this order, each once: u32 id, u64 bytes, payload. Version 1 has no schema.
enum class Section : std::uint32_t {
  Totals = 1,
  Io = 2,
  Slots = 3,
  Instructions = 4,
  Groups = 5,
  Sources = 6,
  Schema = 7
};

inline constexpr std::uint8_t holderNumber(Holder holder) {
  switch (holder) {
  case Holder::Clear:
    return 0;
  case Holder::Weight:
    return 1;
  case Holder::Share:
    return 2;
  }
  return 255;
}

// Limits: a reader refuses more, before it allocates.
inline constexpr std::uint64_t kMaxProgramBytes = std::uint64_t{256} << 20;
inline constexpr std::uint64_t kMaxWeightsBytes = std::uint64_t{8} << 30;
inline constexpr std::uint32_t kMaxSlots = 1u << 20;
inline constexpr std::uint32_t kMaxInstructions = 1u << 20;
inline constexpr std::uint32_t kMaxStringBytes = 4096;
inline constexpr std::uint32_t kMaxListLength = 1u << 24; // integers of one attribute
inline constexpr std::uint32_t kMaxStrings = 65535;       // strings of one attribute, operands of one instruction
inline constexpr std::int64_t kMaxSlotElements = std::int64_t{1} << 28;  // of one slot
inline constexpr std::int64_t kMaxTotalElements = std::int64_t{1} << 36; // of all slots

} // namespace sd::format
