// sdc estimate: what a model will cost, before anything is written or run.
#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/Prediction.h"
#include "ir/bytecode/ProgramMemory.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

Expected<void> estimate(const ModelFlags &flags) {
  Job job;
  SD_TRY(run(flags, defaultPipeline(), job));
  SD_ASSIGN(const Compiled compiled, generate(job.module));
  SD_ASSIGN(const ProgramCost cost, costOf(compiled.program));
  const NetworkProfile &network = job.context.options.network;
  const Prediction prediction = predict(compiled.program, cost, network);
  const auto memory = memoryOf(compiled.program, cost);
  const auto megabytes = [&](int party) { return static_cast<double>(memory[party].peak()) * 1e-6; };
  return writeText("-", fmt::format("online bytes       {} ({} from the service, {} from the hospital)\n"
                                    "round trips        {}\n"
                                    "online             {:.4g} s predicted ({:g} ms round trip, {:g} Mbit/s)\n"
                                    "offline            {:.4g} s predicted, and {:.4g} s once a session\n"
                                    "comparisons        {}\n"
                                    "multiply-adds      {}\n"
                                    "offline bytes      {} (beside those of the OT extension)\n"
                                    "OTs                {}\n"
                                    "weights            {} bytes\n"
                                    "memory             {:.4g} MB at the service, {:.4g} MB at the hospital\n",
                                    cost.totalOnlineBytes(), cost.onlineBytes[0], cost.onlineBytes[1], cost.roundTrips,
                                    prediction.online, network.roundTripSeconds * 1e3, network.bitsPerSecond * 1e-6,
                                    prediction.offline, prediction.setUp, cost.comparisons, cost.multiplyAdds,
                                    cost.offline.totalBytes(), cost.offline.ots + cost.offline.reverseOts,
                                    cost.weightBytes, megabytes(0), megabytes(1)));
}

} // namespace

void addEstimate(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("estimate", "what a run of a model will cost");
  auto flags = std::make_shared<ModelFlags>();
  addModelFlags(*command, *flags);
  command->callback([flags, &action] { action = [flags] { return estimate(*flags); }; });
}

} // namespace sd::tool
