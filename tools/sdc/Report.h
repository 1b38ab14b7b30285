// sdc report.
#pragma once

#include "tools/sdc/Common.h"

namespace sd::tool {

void addReport(CLI::App &app, Action &action);

} // namespace sd::tool
