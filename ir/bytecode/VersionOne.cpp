#include "ir/bytecode/VersionOne.h"

#include "ir/core/ScheduleAttr.h"

namespace sd {

void giveSchedules(Program &program) {
  for (Instruction &it : program.instructions) {
    if (!compares(it.op)) continue;
    it.attrs.erase(Attr::Digit);
    it.attrs.erase(Attr::Radix);
    if (it.attrs.has(Attr::Schedule) || !it.attrs.has(Attr::Bound)) continue;
    const std::int64_t bits = it.attrs.i(Attr::Bits, 0), bound = it.attrs.i(Attr::Bound);
    const bool compared = it.op != OpKind::ShareTruncate || bits > 0;
    if (compared && bits >= 0 && bits < bound && bound <= program.ringBits - 2)
      it.attrs = withSchedule(it.op, std::move(it.attrs));
  }
}

} // namespace sd
