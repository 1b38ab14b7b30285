// Progress of what compiles a model and runs it on records.
#pragma once

#include "tools/Progress.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

// Tells of each pass, and of the records that ranges are measured on. The progress outlives what is told.
inline void follow(Progress &progress, ModelFlags &flags, Job &job) {
  flags.manager.onPass = [&progress](std::string_view name, std::size_t number, std::size_t all) {
    progress.begin("record", 0);
    progress.say(fmt::format("pass {} of {}, {}", number, all, name));
  };
  job.context.options.progress = [&progress](std::size_t done, std::size_t all) {
    progress.step(done, all, "measuring ranges");
  };
}

// CompareOptions::progress, for so many records.
inline std::function<void(std::size_t, std::size_t)> comparing(Progress &progress, std::size_t records) {
  progress.begin("record", records);
  return
      [&progress](std::size_t done, std::size_t all) { progress.step(done, all, "comparing floats and fixed point"); };
}

} // namespace sd::tool
