#include "tools/sdc/Layers.h"

#include <algorithm>

namespace sd::tool {

std::string hintOn(const Job &job, const std::vector<Layer> &layers, const ProgramCost &cost) {
  if (layers.empty() || job.context.approximations.empty()) return "";
  const Layer &most = *std::ranges::max_element(layers, {}, &Layer::onlineBytes);
  const auto all = static_cast<double>(cost.totalOnlineBytes());
  const double part = static_cast<double>(most.onlineBytes) / all;
  if (part < 0.4) return "";
  PassContext context;
  context.options = job.context.options;
  context.options.approximationError *= 4;
  const auto module = lower(job.imported, {defaultPipeline(), {}}, context);
  if (!module) return "";
  const auto compiled = generate(*module);
  if (!compiled) return "";
  const auto tried = costOf(compiled->program);
  if (!tried) return "";
  const double saved = 1 - static_cast<double>(tried->totalOnlineBytes()) / all;
  if (saved < 0.05) return "";
  std::string text =
      fmt::format("{} takes {:.0f} % of the online bytes; --approximation-error {:.3g} saves {:.0f} % of "
                  "all of them",
                  shortened(most.name, 60), 100 * part, context.options.approximationError, 100 * saved);
  if (const auto estimate = estimateError(job.imported, *module, context); estimate && estimate->comparison.records > 0)
    text += fmt::format(", same class {} {}", percentOf(estimate->comparison.same, estimate->comparison.records),
                        describeRecords(*estimate));
  return text + "; sdc check says what that costs in accuracy";
}

std::string shortened(const std::string &text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end) + "...";
}

} // namespace sd::tool
