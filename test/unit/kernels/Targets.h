// Runs a body once on every instruction set that was compiled and that this machine has.
#pragma once

#include <hwy/targets.h>

#include <gtest/gtest.h>

namespace sd::test {

template <class F>
void onEveryTarget(F &&body) {
  // One target alone is offered to the dispatcher each time.
  for (std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

} // namespace sd::test
