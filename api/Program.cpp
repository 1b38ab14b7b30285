#include <algorithm>
#include <cmath>
#include <filesystem>

#include "api/Internal.h"
#include "compiler/Comparison.h"
#include "compiler/Compile.h"
#include "compiler/codegen/Codegen.h"
#include "ir/Run.h"
#include "ir/bytecode/File.h"
#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/SchemaJson.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/Guard.h"
#include "passes/Intervals.h"
#include "runtime/vm/PrivateWeights.h"
#include "runtime/vm/ResultWords.h"

namespace sdc {

void raise(const sd::Error &error) { throw Error(static_cast<ErrorKind>(error.kind), error.message); }

sd::NamedTensors tensorsOf(const Arrays &arrays) {
  sd::NamedTensors tensors;
  for (const auto &[name, array] : arrays) {
    const std::int64_t size = valueOf(sd::checkedElementCount(array.shape));
    if (size != static_cast<std::int64_t>(array.values.size()))
      raise({fmt::format("'{}' has {} values for the shape {}", name, array.values.size(), sd::toString(array.shape))});
    tensors.emplace(name, sd::Tensor<float>(array.shape, array.values));
  }
  return tensors;
}

Arrays stacked(const std::vector<Port> &ports, const std::vector<std::vector<sd::Tensor<float>>> &records) {
  Arrays arrays;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    Array &array = arrays[ports[i].name];
    array.shape = {static_cast<std::int64_t>(records.size())};
    array.shape.insert(array.shape.end(), ports[i].shape.begin(), ports[i].shape.end());
    for (const auto &outputs : records)
      array.values.insert(array.values.end(), outputs[i].data.begin(), outputs[i].data.end());
  }
  return arrays;
}

std::vector<sd::NamedTensors> recordsOf(const Program::Impl &program, const Arrays &arrays) {
  return valueOf(sd::guarded([&] { return sd::splitRecords(program.loaded.program, tensorsOf(arrays)); }));
}

namespace {

std::string weightsPath(const std::string &program) {
  return std::filesystem::path(program).replace_extension(".sdw").string();
}

std::vector<Port> portsOf(const sd::Program &program, bool inputs) {
  const sd::ProgramIo io = sd::ioOf(program);
  std::vector<Port> ports;
  for (const sd::Port &port : inputs ? io.inputs : io.outputs)
    ports.push_back({port.name, program.slots[port.slot].shape});
  return ports;
}

} // namespace

Program Program::load(const std::string &path) {
  auto impl = std::make_shared<Impl>();
  impl->loaded = valueOf(sd::readProgramFile(path));
  std::error_code error;
  if (std::filesystem::exists(weightsPath(path), error)) {
    const auto warn = [&](std::string_view text) { impl->warnings.emplace_back(text); };
    valueOf(sd::withRing(impl->loaded.program.ringBits, [&]<class R>() -> sd::Expected<void> {
      SD_ASSIGN(impl->weights, sd::readPrivateWeights<R>(weightsPath(path), impl->loaded, warn));
      return {};
    }));
  }
  Program program;
  program.impl = std::move(impl);
  return program;
}

void Program::save(const std::string &path) const {
  if (std::filesystem::path(path).extension() == ".sdw")
    raise({fmt::format("{}: .sdw is the ending of the weights that are written beside the program", path), false,
           sd::ErrorKind::Usage});
  if (impl->weights) return valueOf(sd::writeCompiled({impl->loaded.program, *impl->weights}, path, weightsPath(path)));
  const std::vector<std::uint8_t> bytes = valueOf(sd::writeProgram(impl->loaded.program));
  valueOf(sd::writeFileAtomically(path, bytes, sd::FileMode::Public));
}

bool Program::hasWeights() const { return impl->weights.has_value(); }
bool Program::hasModel() const { return impl->imported.has_value(); }
const std::vector<std::string> &Program::warnings() const { return impl->warnings; }
const std::vector<std::string> &Program::notes() const { return impl->notes; }
std::string Program::name() const { return impl->loaded.program.name; }
std::string Program::digest() const { return sd::toHex(impl->loaded.digest); }
int Program::ringBits() const { return impl->loaded.program.ringBits; }
std::vector<Port> Program::inputs() const { return portsOf(impl->loaded.program, true); }
std::vector<Port> Program::outputs() const { return portsOf(impl->loaded.program, false); }
std::string Program::schema() const { return sd::toJson(impl->loaded.program.schema); }

std::string Program::inspect() const { return valueOf(sd::inspectText(impl->loaded, sd::lanAndWan())); }

std::string Program::inspectJson(const std::vector<std::string> &networks) const {
  std::vector<sd::NamedNetwork> named;
  for (const std::string &network : networks)
    named.push_back({network.starts_with("rtt=") ? "network" : network, valueOf(sd::parseNetwork(network))});
  return valueOf(sd::inspectJson(impl->loaded, named));
}

Check Program::check(const Arrays &arrays, const std::vector<float> &labels) const {
  if (!impl->imported)
    raise({"the program has no model, which is needed for a check: compile it, and keep the model", false,
           sd::ErrorKind::Usage});
  const std::vector<sd::NamedTensors> records = recordsOf(*impl, arrays);
  const std::size_t all = records.size() * static_cast<std::size_t>(sd::recordsInRun(*impl->imported));
  if (!labels.empty() && labels.size() != all) raise({fmt::format("{} labels for {} records", labels.size(), all)});
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (!(labels[i] >= 0 && labels[i] < 1e9f) || labels[i] != std::floor(labels[i]))
      raise({fmt::format("label {} is not the number of a class", i + 1)});
  std::optional<sd::Tensor<float>> classes;
  if (!labels.empty()) classes.emplace(sd::Shape{static_cast<std::int64_t>(labels.size())}, labels);
  return valueOf(sd::guarded([&]() -> sd::Expected<Check> {
    const bool scores = !impl->options.revealClass;
    SD_ASSIGN(const sd::Comparison sum, sd::compare(*impl->imported, *impl->lowered, records,
                                                    {.labels = classes ? &*classes : nullptr,
                                                     .scores = scores,
                                                     .thresholds = &impl->options.thresholds}));
    Check check;
    check.records = sum.records;
    check.sameClass = sum.same;
    if (classes) check.floatRight = sum.floatRight, check.fixedRight = sum.fixedRight;
    check.largestError = sum.errorMost;
    check.meanError = sum.elements ? sum.errorSum / static_cast<double>(sum.elements) : 0;
    check.rangeError = sum.rangeError;
    for (std::size_t i = 0; i < sum.seen.size(); ++i)
      if (sum.seen[i] > 0 && sum.seen[i] > sd::limitOf(impl->lowered->ops[i], impl->lowered->ringBits))
        check.withinBounds = false;
    SD_ASSIGN(const sd::Interpreter exact, sd::Interpreter::create(sd::viewOf(*impl->imported)));
    SD_ASSIGN(const sd::Interpreter fixed, sd::Interpreter::create(sd::viewOf(*impl->lowered)));
    for (const bool isFixed : {false, true}) {
      std::vector<Port> ports;
      std::vector<std::vector<sd::Tensor<float>>> outputs;
      for (const sd::NamedTensors &record : records) {
        SD_ASSIGN(sd::RunResult run, (isFixed ? fixed : exact).run(record));
        if (ports.empty())
          for (std::size_t i = 0; i < run.names.size(); ++i)
            ports.push_back({run.names[i], run.outputs[i].shape});
        outputs.push_back(std::move(run.outputs));
      }
      (isFixed ? check.fixed : check.floats) = stacked(ports, outputs);
    }
    return check;
  }));
}

std::vector<Cell> Program::describe(const Result &result, std::uint64_t record) const {
  if (record >= result.records)
    raise({fmt::format("record {} of {}", record, result.records), false, sd::ErrorKind::Usage});
  const sd::ResultWords words = valueOf(sd::ResultWords::make(impl->loaded.program, {}));
  const std::vector<Port> ports = outputs();
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto found = result.outputs.find(ports[i].name);
    const auto size = static_cast<std::size_t>(sd::elementCount(ports[i].shape));
    if (found == result.outputs.end() || found->second.values.size() != size * result.records)
      raise({fmt::format("the result is none of this program: its output '{}' is another", ports[i].name), false,
             sd::ErrorKind::Usage});
    const auto from = found->second.values.begin() + static_cast<std::ptrdiff_t>(size * record);
    const sd::Tensor<float> value(ports[i].shape, {from, from + static_cast<std::ptrdiff_t>(size)});
    for (sd::ResultCell &cell : words.cells(i, value))
      cells.push_back({std::move(cell.output), std::move(cell.name), std::move(cell.unit), cell.value, cell.holds});
  }
  return cells;
}

} // namespace sdc
