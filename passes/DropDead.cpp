#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

Expected<Module> dropDead(const Module &module, PassContext &) { return withoutDeadOps(module); }

} // namespace sd
