#include "runtime/protocol/RoundGroup.h"

#include <algorithm>

namespace sd {
namespace {

std::size_t groupBytes(std::span<InteractiveOp *const> ops, int k) {
  std::size_t bytes = 0;
  for (const auto *op : ops)
    bytes += op->messageBytes(k);
  return bytes;
}

void writeParts(std::span<InteractiveOp *const> ops, int k, std::span<std::uint8_t> out) {
  for (auto *op : ops) {
    const std::size_t bytes = op->messageBytes(k);
    if (bytes) op->write(k, out.first(bytes));
    out = out.subspan(bytes);
  }
}

Expected<void> readParts(std::span<InteractiveOp *const> ops, int k, std::span<const std::uint8_t> in) {
  for (auto *op : ops) {
    const std::size_t bytes = op->messageBytes(k);
    if (bytes) SD_TRY(op->read(k, in.first(bytes)));
    in = in.subspan(bytes);
  }
  return {};
}

} // namespace

Expected<void> runRoundGroup(Channel &channel, Party party, std::span<InteractiveOp *const> ops) {
  int messages = 0;
  for (const auto *op : ops)
    messages = std::max(messages, op->messages());
  for (int k = 0; k < messages; ++k) {
    const std::size_t bytes = groupBytes(ops, k);
    if (bytes == 0) continue;
    const auto tag = static_cast<std::uint16_t>(kRoundTag + k);
    const auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(bytes);
    const std::span<std::uint8_t> message(buffer.get(), bytes);
    if (speakerOf(k) == party) {
      writeParts(ops, k, message);
      SD_TRY(channel.send(tag, message));
    } else {
      SD_TRY(channel.receive(tag, message));
      SD_TRY(readParts(ops, k, message));
    }
  }
  return {};
}

} // namespace sd
