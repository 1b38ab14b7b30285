#include "compiler/codegen/Codegen.h"

#include "ir/core/ScheduleAttr.h"
#include <gmock/gmock.h>

#include <filesystem>

#include "ir/bytecode/Reader.h"
#include "ir/bytecode/Verify.h"

namespace sd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Attrs comparison(std::int64_t bits, std::int64_t round) {
  return withSchedule(OpKind::ShareRelu, {{Attr::Bits, bits}, {Attr::Bound, std::int64_t{30}}, {Attr::Round, round}});
}

ValueId input(Builder &b, std::string name) {
  return b.create(OpKind::Input, {}, {{Attr::Name, std::move(name)}, {Attr::Dims, std::vector<std::int64_t>{1, 2}}});
}

ValueId share(Builder &b, ValueId clear, int scale) {
  const Type type = Type::share({1, 2}, scale);
  return *b.add({OpKind::ShareInput, {clear}, kNoValue, {}, {}}, &type);
}

void finish(Builder &b, std::vector<ValueId> values, std::vector<std::string> names) {
  b.create(OpKind::Return, std::move(values), {{Attr::Names, std::move(names)}});
}

std::string shapeOf(const Program &program) {
  std::string text;
  for (const Group &group : program.groups) {
    text += group.interactive ? "[" : "(";
    for (auto i = group.begin; i < group.end; ++i)
      text += std::string(i == group.begin ? "" : " ") + std::string(info(program.instructions[i].op).mnemonic);
    text += group.interactive ? "]" : ")";
  }
  return text;
}

const WeightSet<Ring32> &weightsOf(const Compiled &compiled) { return std::get<WeightSet<Ring32>>(compiled.weights); }

// Two branches, written one after the other, whose comparisons are in one round.
Module twoBranches(std::int64_t roundOfSecond) {
  Builder b("two branches");
  const ValueId x = share(b, input(b, "x"), 10);
  const ValueId a = b.create(OpKind::ShareRelu, {x}, comparison(0, 0), "Relu_a");
  const ValueId outA = b.create(OpKind::ShareOutput, {a});
  const ValueId soft = b.create(OpKind::Softmax, {outA}, {{Attr::Axis, std::int64_t{1}}});
  const ValueId w = b.weights({{2}, {3, 4}}, 10, "w");
  const ValueId scaled = b.create(OpKind::ShareScale, {x, w}, {}, "Mul_b");
  const ValueId c = b.create(OpKind::ShareRelu, {scaled}, comparison(10, roundOfSecond), "Relu_b");
  const ValueId both = b.create(OpKind::ShareAdd, {a, c}, {}, "Add");
  finish(b, {soft, b.create(OpKind::ShareOutput, {both})}, {"p", "sum"});
  return b.take();
}

TEST(CodegenTest, PutsOpsOfOneRoundIntoOneGroupAndLocalOpsBeforeIt) {
  const auto compiled = generate(twoBranches(0));
  ASSERT_TRUE(compiled) << compiled.error().message;
  EXPECT_EQ(shapeOf(compiled->program), "(nn.input share.constant)[share.input](share.scale)[share.relu share.relu]"
                                        "(share.add)[share.output share.output](nn.softmax nn.return)");
}

TEST(CodegenTest, KeepsRoundsOfOtherNumbersApart) {
  const auto compiled = generate(twoBranches(1));
  ASSERT_TRUE(compiled) << compiled.error().message;
  EXPECT_EQ(shapeOf(compiled->program), "(nn.input share.constant)[share.input](share.scale)[share.relu][share.relu]"
                                        "(share.add)[share.output share.output](nn.softmax nn.return)");
}

TEST(CodegenTest, MovesWeightsOutOfTheProgram) {
  const auto compiled = generate(twoBranches(0));
  ASSERT_TRUE(compiled) << compiled.error().message;
  EXPECT_THAT(weightsOf(*compiled).tensors, ElementsAre(Tensor<std::int32_t>({2}, {3, 4})));
  for (const auto &it : compiled->program.instructions) {
    EXPECT_FALSE(it.attrs.has(Attr::Weights));
    EXPECT_FALSE(it.attrs.has(Attr::Round));
  }
}

TEST(CodegenTest, KeepsTheModulesRing) {
  Builder b("wide", kBitsOf<Ring64>);
  const ValueId x = share(b, input(b, "x"), 10);
  const ValueId y = b.create(OpKind::ShareScale, {x, b.weights({{2}, {std::int64_t{1} << 40, -4}}, 10)});
  finish(b, {b.create(OpKind::ShareOutput, {y})}, {"y"});
  const auto compiled = generate(b.module());
  ASSERT_TRUE(compiled) << compiled.error().message;
  EXPECT_EQ(compiled->program.ringBits, kBitsOf<Ring64>);
  EXPECT_THAT(std::get<WeightSet<Ring64>>(compiled->weights).tensors,
              ElementsAre(Tensor<std::int64_t>({2}, {std::int64_t{1} << 40, -4})));
}

TEST(CodegenTest, ProgramDoesNotDependOnTheWeights) {
  Module other = twoBranches(0);
  for (Op &op : other.ops) {
    if (op.kind == OpKind::ShareConstant)
      op.attrs.set(Attr::Weights, std::make_shared<const Integers>(Shape{2}, std::vector<std::int64_t>{-7, 1 << 30}));
  }
  EXPECT_EQ(weightsOf(*generate(other)).program, weightsOf(*generate(twoBranches(0))).program);
}

TEST(CodegenTest, CleansNamesOfControlCharacters) {
  Builder b("a\nb");
  finish(b, {b.create(OpKind::ShareOutput, {share(b, input(b, "x\x1b[2J"), 4)}, {}, "out\r")}, {"y\t"});
  const auto compiled = generate(b.module());
  ASSERT_TRUE(compiled) << compiled.error().message;
  EXPECT_EQ(compiled->program.name, "a_b");
  EXPECT_EQ(compiled->program.instructions.front().attrs.str(Attr::Name), "x_[2J");
  EXPECT_EQ(compiled->program.instructions.back().attrs.strings(Attr::Names).front(), "y_");
}

TEST(CodegenTest, RefusesWhatIsNotLoweredOrScheduled) {
  Builder nn("nn");
  finish(nn, {nn.create(OpKind::Relu, {input(nn, "x")}, {}, "Relu_7")}, {"y"});
  EXPECT_THAT(generate(nn.module()).error().message, HasSubstr("Relu_7: nn.relu is not part of a lowered module"));

  Builder b("unscheduled");
  const Attrs attrs{{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{30}}};
  finish(b, {b.create(OpKind::ShareOutput, {b.create(OpKind::ShareRelu, {share(b, input(b, "x"), 4)}, attrs, "R")})},
         {"y"});
  EXPECT_THAT(generate(b.module()).error().message, HasSubstr("R: share.relu has no schedule"));
}

TEST(CodegenTest, RefusesARoundThatDependsOnItself) {
  Builder b("cyclic");
  const ValueId a = b.create(OpKind::ShareRelu, {share(b, input(b, "x"), 4)}, comparison(0, 5), "First");
  const ValueId c = b.create(OpKind::ShareRelu, {a}, comparison(0, 5), "Second");
  finish(b, {b.create(OpKind::ShareOutput, {c})}, {"y"});
  EXPECT_THAT(generate(b.module()).error().message, HasSubstr("Second: round 5 depends on itself"));
}

TEST(CodegenTest, FilesBelongTogether) {
  const auto compiled = generate(twoBranches(0));
  ASSERT_TRUE(compiled) << compiled.error().message;
  const auto folder = std::filesystem::path(testing::TempDir()) / "codegen-test";
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(writeCompiled(*compiled, folder / "m.sdb", folder / "m.sdw"));
  const auto program = readProgramFile(folder / "m.sdb");
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->digest, weightsOf(*compiled).program);
  const auto weights = readWeightsFile<Ring32>(folder / "m.sdw", *program);
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_EQ(weights->tensors, weightsOf(*compiled).tensors);
  std::filesystem::remove_all(folder);
}

} // namespace
} // namespace sd
