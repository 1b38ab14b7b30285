// A model's public program, from the service that serves it.
#pragma once

#include "tools/RunOptions.h"

namespace sd {

// Unless options.program is there already, gets the model options.model into it, and says its digest. The file is the
// pin: what the service serves later under that name has to be the same, or sessions are refused.
Expected<void> fetchModel(const RunOptions &options);

} // namespace sd
