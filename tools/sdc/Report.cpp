// sdc report: a model on records as one page for people: network, costs, ranges, errors, who learns what.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "ir/bytecode/Inspection.h"
#include "ir/bytecode/Writer.h"
#include "tools/sdc/Checked.h"
#include "tools/sdc/Drawing.h"
#include "tools/sdc/Html.h"
#include "tools/sdc/Report.h"

namespace sd::tool {

namespace {

constexpr std::size_t kMostRows = 100;   // of a table
constexpr std::size_t kMostClasses = 20; // of a confusion matrix

struct Flags {
  CheckFlags check;
  std::string output;
};

std::string paragraph(const std::string &text, bool isBad = false) {
  return fmt::format("<p{}>{}</p>\n", isBad ? " class=\"bad\"" : "", escapedHtml(text, 2000));
}

std::string shownOf(std::size_t shown, std::size_t all, std::string_view which) {
  return shown < all ? paragraph(fmt::format("{} of {} are shown: {}.", shown, all, which)) : "";
}

// The name of a class or finding; its number if it has none, or where several outputs leave open whose it is.
std::string itemName(const Schema &schema, const Module &imported, std::size_t index) {
  const auto number = [&] { return fmt::format("{}", index); };
  const std::vector<std::string> &outputs = imported.ops.back().attrs.strings(Attr::Names);
  if (outputs.size() != 1) return number();
  const auto found = std::ranges::find(schema.outputs, outputs[0], &OutputMeaning::name);
  if (found == schema.outputs.end() || found->kind == ResultKind::Values || found->numbers ||
      index >= found->items.size())
    return number();
  return found->items[index].name;
}

std::string summary(const Checked &checked, const Inspection &in, const std::string &hint) {
  const Comparison &sum = checked.sum;
  std::vector<std::vector<HtmlCell>> rows;
  const auto add = [&](const std::string &name, const std::string &value) {
    rows.push_back({textCell(name), textCell(value)});
  };
  add("records", fmt::format("{}", sum.records));
  if (checked.hasLabels) {
    add("accuracy in floats", percentOf(sum.floatRight, sum.records));
    add("accuracy in fixed point", percentOf(sum.fixedRight, sum.records));
  }
  add("same class in both", percentOf(sum.same, sum.records));
  if (checked.hasScores && sum.elements > 0)
    add("error of an output",
        fmt::format("mean {:.3g}, largest {:.3g}, of outputs up to {:.4g}",
                    sum.errorSum / static_cast<double>(sum.elements), sum.errorMost, sum.outputMost));
  add("online", fmt::format("{} bytes, {} round trips", in.cost.totalOnlineBytes(), in.cost.roundTrips));
  add("offline",
      fmt::format("{} bytes, {} OTs", in.cost.offline.totalBytes(), in.cost.offline.ots + in.cost.offline.reverseOts));
  for (std::size_t n = 0; n < in.networks.size(); ++n)
    add(fmt::format("predicted, {}", in.networks[n].name),
        fmt::format("{:.3g} s online, {:.3g} s offline, {:.3g} s once a session ({:g} ms round trip, {:g} Mbit/s)",
                    in.predictions[n].online, in.predictions[n].offline, in.predictions[n].setUp,
                    in.networks[n].profile.roundTripSeconds * 1e3, in.networks[n].profile.bitsPerSecond * 1e-6));
  add("memory",
      fmt::format("{:.3g} MB at the service, {:.3g} MB at the hospital",
                  static_cast<double>(in.memory[0].peak()) * 1e-6, static_cast<double>(in.memory[1].peak()) * 1e-6));
  add("program", toHex(in.digest));
  return htmlTable({"", ""}, rows) +
         (checked.holdsWithin()
              ? paragraph("No record left a range: a secure run gives exactly the fixed-point outputs.")
              : paragraph("A record left a range: a secure run of it is wrong. See the ranges below.", true)) +
         (hint.empty() ? "" : paragraph("Hint: " + hint + "."));
}

std::string costSection(std::vector<Layer> layers, std::span<const NamedNetwork> networks) {
  const std::size_t all = layers.size();
  std::uint64_t most = 1;
  for (const Layer &layer : layers)
    most = std::max(most, layer.onlineBytes);
  if (all > kMostRows) {
    std::ranges::stable_sort(layers, std::greater(), &Layer::onlineBytes);
    layers.resize(kMostRows);
  }
  std::vector<std::string> heads{"layer", "online bytes", "", "offline bytes", "comparisons", "messages"};
  for (const NamedNetwork &network : networks) {
    heads.push_back(network.name + ": online s");
    heads.push_back(network.name + ": offline s");
  }
  std::vector<std::vector<HtmlCell>> rows;
  for (const Layer &layer : layers) {
    auto &row = rows.emplace_back();
    row = {textCell(layer.name),
           numberCell(fmt::format("{}", layer.onlineBytes)),
           {htmlBar(static_cast<double>(layer.onlineBytes) / static_cast<double>(most))},
           numberCell(fmt::format("{}", layer.offlineBytes)),
           numberCell(fmt::format("{}", layer.comparisons)),
           numberCell(fmt::format("{}", layer.messages))};
    for (const Seconds &seconds : layer.seconds) {
      row.push_back(numberCell(fmt::format("{:.3g}", seconds.online)));
      row.push_back(numberCell(fmt::format("{:.3g}", seconds.offline)));
    }
  }
  return shownOf(layers.size(), all, "those with the most online bytes") + htmlTable(heads, rows) +
         paragraph(
             "Of one run. Layers that work at the same time share their messages; two messages are a round trip.");
}

double marginOf(const SeenRange &range) { return std::log2(range.limit / std::max(range.seen, 1.0)); }

std::string rangeSection(const Checked &checked) {
  std::vector<SeenRange> ranges = checked.ranges();
  if (ranges.empty()) return paragraph("No op has a bound.");
  const std::size_t all = ranges.size();
  std::ranges::stable_sort(ranges, {}, marginOf);
  if (all > kMostRows) ranges.resize(kMostRows);
  std::vector<std::vector<HtmlCell>> rows;
  for (const SeenRange &range : ranges) {
    const double margin = marginOf(range);
    rows.push_back({textCell(range.where),
                    numberCell(fmt::format("{:.2f}", std::log2(std::max(range.seen, 1.0)))),
                    numberCell(fmt::format("{:.2f}", std::log2(std::max(range.proved, 1.0)))),
                    numberCell(fmt::format("{:.2f}", std::log2(range.limit))),
                    {htmlBar(1 - margin / std::log2(range.limit))},
                    {margin < 0 ? "<span class=\"bad\">out of bounds</span>"
                                : fmt::format("{:.1f} bits left, {}", margin,
                                              range.isProved() ? "proved" : "<span class=\"bad\">not proved</span>")}});
  }
  return shownOf(ranges.size(), all, "those with the least margin") +
         htmlTable({"before", "seen, bits", "proved, bits", "limit, bits", "", "margin"}, rows);
}

std::string confusionSection(const Checked &checked) {
  const Schema &schema = checked.job.schema;
  const Module &imported = checked.job.imported;
  if (!checked.hasLabels) return paragraph("No labels were given (--labels).");
  std::vector<std::vector<HtmlCell>> rows;
  if (const auto right = checked.findingsRight(); !right.empty()) {
    for (std::size_t i = 0; i < right.size(); ++i)
      rows.push_back({textCell(itemName(schema, imported, i)), numberCell(percentOf(right[i], checked.sum.records))});
    return htmlTable({"finding", "as labelled"}, rows);
  }
  const auto counts = checked.confusion();
  if (counts.empty()) return paragraph("There are too many classes for a table.");
  if (counts.size() <= kMostClasses) {
    std::vector<std::string> heads{"label \\ class"};
    for (std::size_t i = 0; i < counts.size(); ++i) {
      heads.push_back(itemName(schema, imported, i));
      auto &row = rows.emplace_back();
      row.push_back(textCell(itemName(schema, imported, i)));
      for (const std::int64_t count : counts[i])
        row.push_back(numberCell(fmt::format("{}", count)));
    }
    return htmlTable(heads, rows);
  }
  struct Mistake {
    std::int64_t count;
    std::size_t label, decided;
  };
  std::vector<Mistake> mistakes;
  for (std::size_t i = 0; i < counts.size(); ++i)
    for (std::size_t j = 0; j < counts.size(); ++j)
      if (i != j && counts[i][j] > 0) mistakes.push_back({counts[i][j], i, j});
  if (mistakes.empty()) return paragraph(fmt::format("Every record is of its label's class, of {}.", counts.size()));
  const std::size_t all = mistakes.size();
  std::ranges::stable_sort(mistakes, std::greater(), &Mistake::count);
  if (all > kMostClasses) mistakes.resize(kMostClasses);
  for (const Mistake &each : mistakes)
    rows.push_back({textCell(itemName(schema, imported, each.label)),
                    textCell(itemName(schema, imported, each.decided)), numberCell(fmt::format("{}", each.count))});
  return shownOf(mistakes.size(), all, "the most frequent mistakes") + htmlTable({"label", "class", "records"}, rows);
}

std::string errorSection(const Checked &checked) {
  if (!checked.hasScores || !checked.sum.compared)
    return paragraph("The outputs are classes: there are no scores to compare.");
  std::vector<double> errors;
  for (const ComparedRecord &record : checked.sum.each)
    errors.push_back(record.error);
  return paragraph("The largest |float - fixed point| of each record's outputs, and how many records have it.") +
         histogramOf(errors, "records");
}

std::string learnsSection(const Inspection &in) {
  std::string html =
      htmlTable({"who", "knows or learns"}, {{textCell("both"), textCell(std::string(kBothKnow))},
                                             {textCell("the service"), textCell(std::string(kServiceLearns))},
                                             {textCell("the hospital"), textCell(std::string(kHospitalLearns))}});
  const auto list = [&](const std::string &title, const std::vector<std::uint32_t> &indices) {
    html += fmt::format("<h3>{}</h3>\n", title);
    if (indices.empty()) return void(html += paragraph("Nothing."));
    std::vector<std::vector<HtmlCell>> rows;
    for (std::size_t i = 0; i < std::min(indices.size(), kMostRows); ++i) {
      const Instruction &each = in.at(indices[i]);
      rows.push_back({textCell(std::string(info(each.op).mnemonic)), textCell(each.source),
                      textCell(toString(in.resultOf(indices[i]).shape))});
    }
    html += shownOf(rows.size(), indices.size(), "the first") + htmlTable({"op", "of", "shape"}, rows);
  };
  list("Opened to the hospital", in.opened);
  list("Numbers of the model that both see", in.constants);
  list("Done in the clear before", in.preprocessing);
  list("Done in the clear after", in.postprocessing);
  return html + paragraph("sdc inspect lists all of the program.");
}

Expected<void> report(const Flags &flags) {
  SD_ASSIGN(const Checked checked, checkModel(flags.check));
  SD_ASSIGN(const Compiled compiled, generate(checked.job.module, checked.job.schema));
  SD_ASSIGN(const auto bytes, writeProgram(compiled.program));
  const LoadedProgram loaded{compiled.program, digestOf(bytes)};
  const std::vector<NamedNetwork> networks = lanAndWan();
  SD_ASSIGN(const Inspection in, Inspection::make(loaded, networks));
  const std::vector<Layer> layers = layersOf(loaded.program, in.cost, in.predictions);
  const std::string &named = checked.job.schema.modelName;
  const std::string title = named.empty() ? std::filesystem::path(flags.check.model.model).filename().string() : named;
  std::string body = summary(checked, in, hintOn(checked.job, layers, in.cost));
  const auto section = [&](const char *head, const std::string &html) {
    body += fmt::format("<h2>{}</h2>\n{}", head, html);
  };
  section("The network", drawingOf(checked.job.imported, layers, in.cost.totalOnlineBytes()));
  section("Cost by layer", costSection(layers, networks));
  section("Errors", errorSection(checked));
  section("Labels and classes", confusionSection(checked));
  section("Ranges", rangeSection(checked));
  section("What is public, and who learns what", learnsSection(in));
  return writeText(flags.output, htmlPage(title, body));
}

} // namespace

void addReport(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("report", "a model on data as one page: network, costs, errors, ranges");
  auto flags = std::make_shared<Flags>();
  addCheckFlags(*command, flags->check);
  command->add_option("-o,--output", flags->output, "the page, readable by its owner alone; -: standard output")
      ->required()
      ->type_name("REPORT.html");
  command->callback([flags, &action] { action = [flags] { return report(*flags); }; });
}

} // namespace sd::tool
