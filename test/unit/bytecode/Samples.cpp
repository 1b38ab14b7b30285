#include "test/unit/bytecode/Samples.h"

#include <sstream>

#include "ir/bytecode/Digest.h"
#include "ir/bytecode/Format.h"
#include "ir/core/ScheduleAttr.h"

namespace sd {

namespace {

// Adds instructions whose result slots follow each other.
class Maker {
public:
  explicit Maker(std::string name, int ringBits = kBitsOf<Ring32>) {
    sample_.program.name = std::move(name);
    sample_.program.ringBits = ringBits;
    if (ringBits == kBitsOf<Ring64>) sample_.weights = WeightSet<Ring64>{};
  }

  SlotId add(OpKind op, std::vector<SlotId> operands, Attrs attrs, Type type, std::string source = {}) {
    sample_.program.slots.push_back(std::move(type));
    const auto result = static_cast<SlotId>(sample_.program.slots.size() - 1);
    sample_.program.instructions.push_back({op, std::move(operands), result, std::move(attrs), std::move(source)});
    return result;
  }
  SlotId weight(Tensor<std::int64_t> values, int scale, std::string source) {
    const SlotId slot = add(OpKind::ShareConstant, {}, {}, Type::weight(values.shape, scale), std::move(source));
    std::visit(
        [&](auto &set) {
          set.tensors.push_back({values.shape, {values.data.begin(), values.data.end()}});
        },
        sample_.weights);
    return slot;
  }
  void group(bool interactive) {
    const auto &groups = sample_.program.groups;
    const std::uint32_t begin = groups.empty() ? 0 : groups.back().end;
    sample_.program.groups.push_back(
        {begin, static_cast<std::uint32_t>(sample_.program.instructions.size()), interactive});
  }
  Schema &schema() { return sample_.program.schema; }
  Sample finish(std::vector<SlotId> results, std::vector<std::string> names) {
    sample_.program.instructions.push_back(
        {OpKind::Return, std::move(results), ~SlotId{0}, {{Attr::Names, std::move(names)}}, {}});
    group(false);
    return std::move(sample_);
  }

private:
  Sample sample_;
};

} // namespace

Sample tinyMlp() {
  Maker m("tiny");
  const SlotId x = m.add(OpKind::Input, {},
                         {{Attr::Name, std::string("x")},
                          {Attr::Dims, std::vector<std::int64_t>{1, 2}},
                          {Attr::Low, 0.0},
                          {Attr::High, 1.0}},
                         Type::clear({1, 2}));
  const SlotId mean = m.add(OpKind::Constant, {},
                            {{Attr::Value, std::make_shared<const Tensor<float>>(Shape{2}, std::vector{0.5f, 0.25f})}},
                            Type::clear({2}), "Sub_0");
  const SlotId centred = m.add(OpKind::Sub, {x, mean}, {}, Type::clear({1, 2}), "Sub_0");
  const SlotId w1 = m.weight({{2, 3}, {1024, -512, 7, 300, 2048, -1}}, 10, "Gemm_1");
  const SlotId b1 = m.weight({{3}, {1 << 18, -(1 << 17), 5}}, 20, "Gemm_1");
  const SlotId w2 = m.weight({{3, 2}, {1, -2, 3, -4, 5, 127}}, 10, "Gemm_3");
  m.group(false);
  const SlotId shared = m.add(OpKind::ShareInput, {centred}, {}, Type::share({1, 2}, 10));
  m.group(true);
  const SlotId hidden = m.add(OpKind::ShareMatMul, {shared, w1, b1}, {}, Type::share({1, 3}, 20), "Gemm_1");
  m.group(false);
  const SlotId relu =
      m.add(OpKind::ShareRelu, {hidden},
            withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{10}}, {Attr::Bound, std::int64_t{30}}}),
            Type::share({1, 3}, 10), "Relu_2");
  m.group(true);
  const SlotId logits = m.add(OpKind::ShareMatMul, {relu, w2}, {}, Type::share({1, 2}, 20), "Gemm_3");
  m.group(false);
  const SlotId opened = m.add(OpKind::ShareOutput, {logits}, {}, Type::clear({1, 2}));
  m.group(true);
  const SlotId soft =
      m.add(OpKind::Softmax, {opened}, {{Attr::Axis, std::int64_t{1}}}, Type::clear({1, 2}), "Softmax_4");
  m.schema() = {"tiny", "2.1", "for the tests", {}, {}, CompiledFacts{2, {{"Gemm_1 (share.relu)", 1024, 120}}}};
  InputMeaning &input = m.schema().inputOrNew("x");
  input.columns = {{"glucose", "mmol/l", ValueRange{0, 0.75}, {}}, {"age", "", {}, 0.5}};
  input.identifiers = {"patient"};
  OutputMeaning &output = m.schema().outputOrNew("probabilities");
  output.kind = ResultKind::Classes;
  output.items = {{"benign", {}, {}}, {"malignant", {}, {}}};
  return m.finish({soft}, {"probabilities"});
}

Sample smallest() {
  Maker m("triple");
  const SlotId x = m.add(OpKind::Input, {},
                         {{Attr::Name, std::string("x")},
                          {Attr::Dims, std::vector<std::int64_t>{1}},
                          {Attr::Low, -1.0},
                          {Attr::High, 1.0}},
                         Type::clear({1}));
  const SlotId bias = m.weight({{1}, std::vector<std::int64_t>{-300}}, 8, "Add_1");
  m.group(false);
  const SlotId shared = m.add(OpKind::ShareInput, {x}, {}, Type::share({1}, 8));
  m.group(true);
  const SlotId tripled =
      m.add(OpKind::ShareMulC, {shared}, {{Attr::Factor, std::int64_t{3}}}, Type::share({1}, 8), "Mul_0");
  const SlotId sum = m.add(OpKind::ShareAddW, {tripled, bias}, {}, Type::share({1}, 8), "Add_1");
  m.group(false);
  const SlotId opened = m.add(OpKind::ShareOutput, {sum}, {}, Type::clear({1}));
  m.group(true);
  m.schema().inputOrNew("x").columns = {{"dose", "mg", {}, {}}};
  m.schema().outputOrNew("y").items = {{"response", "%", {}}};
  return m.finish({opened}, {"y"});
}

Sample branches() {
  Maker m("branches");
  const Type clear = Type::clear({1, 4}), share = Type::share({1, 4}, 8);
  std::vector<SlotId> inputs;
  for (const char *name : {"left", "right"})
    inputs.push_back(m.add(OpKind::Input, {},
                           {{Attr::Name, std::string(name)}, {Attr::Dims, std::vector<std::int64_t>{1, 4}}}, clear));
  const SlotId gain = m.weight({{4}, {100000, -100000, 0, 1}}, 4, "Mul_2");
  m.group(false);
  const SlotId a = m.add(OpKind::ShareInput, {inputs[0]}, {}, share);
  const SlotId b = m.add(OpKind::ShareInput, {inputs[1]}, {}, share);
  m.group(true);
  const SlotId scaled = m.add(OpKind::ShareScale, {b, gain}, {}, Type::share({1, 4}, 12), "Mul_2");
  m.group(false);
  const Attrs schedule = withSchedule(OpKind::ShareMax, {{Attr::Bound, std::int64_t{20}}});
  Attrs relu = schedule;
  relu.set(Attr::Bits, std::int64_t{0});
  const SlotId positive = m.add(OpKind::ShareRelu, {a}, relu, share, "Relu_0");
  const SlotId larger = m.add(OpKind::ShareMax, {a, b}, schedule, share, "Max_1");
  const SlotId narrowed =
      m.add(OpKind::ShareTruncate, {scaled},
            withSchedule(OpKind::ShareTruncate, {{Attr::Bits, std::int64_t{4}}, {Attr::Bound, std::int64_t{30}}}),
            share, "Mul_2");
  m.group(true);
  const SlotId sum = m.add(OpKind::ShareAdd, {positive, narrowed}, {}, share, "Add_3");
  m.group(false);
  const SlotId product = m.add(OpKind::ShareMul, {sum, larger}, {}, Type::share({1, 4}, 16), "Mul_4");
  m.group(true);
  const SlotId first = m.add(OpKind::ShareOutput, {product}, {}, clear);
  const SlotId second = m.add(OpKind::ShareOutput, {larger}, {}, clear);
  m.group(true);
  ImageMeaning &image = m.schema().inputOrNew("left").image.emplace();
  image.height = 1, image.width = 4, image.channels = {"grey"}, image.black = 255, image.white = 0;
  OutputMeaning &output = m.schema().outputOrNew("larger");
  output.kind = ResultKind::Findings;
  output.items = {{"a", {}, 0.5}, {"b", {}, 0.25}, {"c", {}, -1}, {"d", {}, 1e30}};
  return m.finish({first, second}, {"product", "larger"});
}

Sample matrices() {
  Maker m("matrices");
  const SlotId x =
      m.add(OpKind::Input, {}, {{Attr::Name, std::string("x")}, {Attr::Dims, std::vector<std::int64_t>{1, 12}}},
            Type::clear({1, 12}));
  m.group(false);
  const SlotId shared = m.add(OpKind::ShareInput, {x}, {}, Type::share({1, 12}, 8));
  m.group(true);
  const auto part = [&](std::vector<std::int64_t> indices, const Shape &shape) {
    const Type flat = Type::share({1, static_cast<std::int64_t>(indices.size())}, 8);
    const SlotId picked = m.add(OpKind::ShareGather, {shared},
                                {{Attr::Axis, std::int64_t{1}}, {Attr::Indices, std::move(indices)}}, flat, "Slice_0");
    return m.add(OpKind::ShareReshape, {picked}, {{Attr::Dims, shape}}, Type::share(shape, 8), "Reshape_1");
  };
  const SlotId rows = part({0, 1, 2, 3, 4, 5, 6, 7}, {2, 2, 2}),
               columns = part({4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3}, {2, 3, 2});
  m.group(false);
  const SlotId scores = m.add(OpKind::ShareDot, {rows, columns}, {}, Type::share({2, 2, 3}, 16), "MatMul_2");
  m.group(true);
  const SlotId cut =
      m.add(OpKind::ShareTruncate, {scores},
            withSchedule(OpKind::ShareTruncate, {{Attr::Bits, std::int64_t{8}}, {Attr::Bound, std::int64_t{30}}}),
            Type::share({2, 2, 3}, 8), "MatMul_2");
  m.group(true);
  const SlotId opened = m.add(OpKind::ShareOutput, {cut}, {}, Type::clear({2, 2, 3}));
  m.group(true);
  return m.finish({opened}, {"scores"});
}

Sample wide() {
  Maker m("wide", kBitsOf<Ring64>);
  const Type clear = Type::clear({1, 2});
  const SlotId x =
      m.add(OpKind::Input, {}, {{Attr::Name, std::string("x")}, {Attr::Dims, std::vector<std::int64_t>{1, 2}}}, clear);
  const SlotId gain = m.weight({{2}, {std::int64_t{1} << 40, -3}}, 10, "Mul_1");
  const SlotId bias = m.weight({{2}, {std::int64_t{-1} << 45, (std::int64_t{1} << 62) + 1}}, 20, "Mul_1");
  m.group(false);
  const SlotId shared = m.add(OpKind::ShareInput, {x}, {{Attr::Bound, std::int64_t{46}}}, Type::share({1, 2}, 10));
  m.group(true);
  const SlotId raised =
      m.add(OpKind::ShareMulC, {shared}, {{Attr::Factor, std::int64_t{1} << 33}}, Type::share({1, 2}, 10), "Mul_0");
  const SlotId product = m.add(OpKind::ShareScale, {raised, gain, bias}, {}, Type::share({1, 2}, 20), "Mul_1");
  m.group(false);
  const SlotId positive =
      m.add(OpKind::ShareRelu, {product},
            withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{10}}, {Attr::Bound, std::int64_t{62}}}),
            Type::share({1, 2}, 10), "Relu_2");
  m.group(true);
  const SlotId opened = m.add(OpKind::ShareOutput, {positive}, {}, clear);
  m.group(true);
  return m.finish({opened}, {"y"});
}

Sample asVersion1(Sample sample) {
  sample.program.formatVersion = 1;
  sample.program.schema = {};
  return sample;
}

Expected<AnyWeightSet> readAnyWeights(Bytes bytes, const Program &program, const Digest &digest) {
  return withRing(program.ringBits, [&]<RingWord R>() -> Expected<AnyWeightSet> {
    SD_ASSIGN(WeightSet<R> weights, readWeights<R>(bytes, program, digest));
    return AnyWeightSet(std::move(weights));
  });
}

std::string withoutOfflineCost(const std::string &text) {
  std::istringstream in(text);
  std::string kept, line;
  while (std::getline(in, line)) {
    bool dropped = line.starts_with("      ") && !line.starts_with("       ");
    for (const char *start : {"  offline ", "  OTs ", "  RLWE ", "  weights ", "  with a dealer ", "  memory ",
                              "    service ", "    hospital "})
      dropped = dropped || line.starts_with(start);
    if (!dropped) kept += line + "\n";
  }
  return kept;
}

std::vector<std::uint8_t> withProgramDigest(std::vector<std::uint8_t> file) {
  const Digest digest = digestOf(file);
  if (file.size() >= format::kProgramHeaderBytes)
    std::copy(digest.begin(), digest.end(), file.begin() + format::kPrefixBytes);
  return file;
}

std::vector<std::uint8_t> withWeightsDigest(std::vector<std::uint8_t> file) {
  constexpr std::size_t kSigned = format::kPrefixBytes + format::kDigestBytes;
  if (file.size() < format::kWeightsHeaderBytes) return file;
  const Bytes bytes(file);
  const Digest digest = sha256({bytes.first(kSigned), bytes.subspan(format::kWeightsHeaderBytes)});
  std::copy(digest.begin(), digest.end(), file.begin() + kSigned);
  return file;
}

} // namespace sd
