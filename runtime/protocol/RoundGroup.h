// Runs interactive ops that do not depend on each other, so that they share their messages.
//
//   message 0   P0 -> P1   part 0 of op 0 | part 0 of op 1 | ...
//   message 1   P1 -> P0   part 1 of op 0 | part 1 of op 1 | ...
//   ...                    ops with fewer messages drop out; a message without bytes is not sent
//
// The rounds of a group are those of its longest op, whatever the number of ops and elements.
#pragma once

#include "runtime/net/Channel.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

inline constexpr std::uint16_t kRoundTag = 0x0400; // message k of a group has tag kRoundTag + k

// Both parties call this with the same ops in the same order. Errors name the message, and leave the session unusable.
Expected<void> runRoundGroup(Channel &channel, Party party, std::span<InteractiveOp *const> ops);

} // namespace sd
