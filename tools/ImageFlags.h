// The options of every tool that reads images.
#pragma once

#include "data/ImageOptions.h"

namespace CLI {
class App;
}

namespace sd {

// Adds --window, --modality and --fit, which set `options`. It outlives the parsing.
void addImageFlags(CLI::App &app, ImageOptions &options);

} // namespace sd
