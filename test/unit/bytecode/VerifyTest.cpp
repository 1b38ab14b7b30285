// One rule broken each.
#include "ir/bytecode/Verify.h"

#include <gmock/gmock.h>

#include <functional>

#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Broken {
  const char *name;
  std::function<void(Program &)> damage;
  const char *message;
};

class VerifyTest : public testing::TestWithParam<Broken> {};

TEST_P(VerifyTest, IsRefusedWithTheRuleNamed) {
  Program program = tinyMlp().program;
  ASSERT_TRUE(verifyProgram(program));
  GetParam().damage(program);
  const auto checked = verifyProgram(program);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr(GetParam().message));
}

// tinyMlp: 0 input, 1 constant, 2 sub, 3..5 weights, 6 share.input, 7 matmul, 8 relu, 9 matmul, 10 output, 11 softmax,
// 12 return; instruction i writes slot i. Groups: 0..5, 6, 7, 8, 9, 10, 11..12.
const Broken kBroken[] = {
    {"B1BadShape",
     [](Program &p) {
       p.slots[3].shape = {0, 3};
     },
     "B1: slot 3"},
    {"B9NoInput", [](Program &p) { p.schema.inputs[0].name = "z"; }, "B9: there is no input 'z'"},
    {"B9Columns", [](Program &p) { p.schema.inputs[0].columns.pop_back(); }, "B9: input 'x' has 1 columns"},
    {"B9RangeTwice",
     [](Program &p) {
       p.schema.inputs[0].range = ValueRange{0, 1};
     },
     "its range is said by nn.input"},
    {"B9ColumnOutside", [](Program &p) { p.schema.inputs[0].columns[0].range->high = 2; },
     "B9: input 'x', column 'glucose'"},
    {"B9NothingMeasured",
     [](Program &p) {
       p.instructions[0].attrs.erase(Attr::Low), p.instructions[0].attrs.erase(Attr::High);
       p.schema.inputs[0].measuredOn = 5;
     },
     "B9: input 'x': no range was measured"},
    {"B9Version1", [](Program &p) { p.formatVersion = 1; }, "B9: format version 1 has no schema"},
    {"B9Version3", [](Program &p) { p.formatVersion = 3; }, "B9: format version 3"},
    {"B8NoRing", [](Program &p) { p.ringBits = 48; }, "B8: a ring of 48 bits"},
    {"B1BadScale", [](Program &p) { p.slots[3].scale = 63; }, "B1: slot 3"},
    {"B1WrittenTwice", [](Program &p) { p.instructions[4].result = 3; }, "B1: slot 3 is written a second time"},
    {"B1NeverWritten", [](Program &p) { p.slots.push_back(Type::clear({1})); }, "B1: slot 12 is never written"},
    {"B2NoOpcode", [](Program &p) { p.instructions[11].op = OpKind::Relu; }, "B2: this op does not occur in programs"},
    {"B2TooManyOperands",
     [](Program &p) {
       p.instructions[11].operands = {10, 10};
     },
     "B2: 2 operands"},
    {"B2OperandUnknown", [](Program &p) { p.instructions[11].operands = {99}; }, "B2: operand slot 99 does not exist"},
    {"B2OperandLater",
     [](Program &p) {
       p.instructions[2].operands = {0, 11};
     },
     "B2: operand slot 11 is used before"},
    {"B2ResultUnknown", [](Program &p) { p.instructions[11].result = 99; }, "B2: result slot 99 does not exist"},
    {"B2ResultOfReturn", [](Program &p) { p.instructions[12].result = 1; }, "B2: it has no result"},
    {"B2WeightsInside",
     [](Program &p) {
       p.instructions[3].attrs.set(Attr::Weights, std::make_shared<const Integers>(Tensor<std::int32_t>(Shape{2, 3})));
     },
     "B2: attribute 'weights'"},
    {"B2Round", [](Program &p) { p.instructions[8].attrs.set(Attr::Round, std::int64_t{0}); }, "B2: attribute 'round'"},
    {"B2NoSchedule", [](Program &p) { p.instructions[8].attrs.erase(Attr::Schedule); },
     "B2: attribute 'schedule' is not chosen"},
    {"B3Type", [](Program &p) { p.slots[7].scale = 19; }, "instruction 7 (share.matmul, Gemm_1): G7"},
    {"B3Operand",
     [](Program &p) {
       p.instructions[7].operands = {6, 6};
     },
     "G5: operand 1 must be a weight"},
    {"B3Attribute", [](Program &p) { p.instructions[8].attrs.erase(Attr::Bits); }, "G2: attribute 'bits' is missing"},
    {"B4NoReturn",
     [](Program &p) {
       p.instructions.pop_back();
       p.groups.back().end -= 1;
     },
     "B4: the last instruction is not nn.return"},
    {"B4TwoReturns",
     [](Program &p) {
       p.instructions.push_back(p.instructions.back());
       p.groups.back().end += 1;
     },
     "B4: nn.return is not the last instruction"},
    {"B4ClearInside",
     [](Program &p) {
       p.slots.push_back(Type::clear({1, 2}));
       p.instructions.insert(p.instructions.end() - 1, {OpKind::ShareOutput, {9}, 12, {}, {}});
     },
     "B4: no secure op may follow a clear one"},
    {"B4WeightsLate", [](Program &p) { std::swap(p.instructions[5], p.instructions[6]); }, "B4: weights are named"},
    {"B5Gap", [](Program &p) { p.groups[2].begin = 8; }, "B5: group 2 begins at 8 where 7 was due"},
    {"B5Empty", [](Program &p) { p.groups[2].end = 7; }, "B5: group 2 is empty"},
    {"B5TooLong", [](Program &p) { p.groups.back().end = 14; }, "B5: group 6 ends at 14"},
    {"B5TooShort", [](Program &p) { p.groups.pop_back(); }, "B5: the groups end at 11 of 13"},
    {"B5LocalInInteractive", [](Program &p) { p.groups[2].interactive = true; }, "does not belong in a group"},
    {"B5InteractiveInLocal", [](Program &p) { p.groups[3].interactive = false; }, "does not belong in a group"},
    {"B6ControlCharacters", [](Program &p) { p.name = "a\x1b[2J"; }, "B6: the program's name"},
    {"B6NotUtf8", [](Program &p) { p.instructions[8].source = "Relu\xff"; }, "B6: the source name"},
    {"B6DirectionMark", [](Program &p) { p.name = "a\xe2\x80\xae"; }, "B6: the program's name"},
    {"B6TooLong", [](Program &p) { p.name.assign(4097, 'n'); }, "B6: the program's name has 4097 bytes"},
    {"B7TooManyElementsInASlot", [](Program &p) { p.slots[1].shape = {(1 << 28) + 1}; },
     "B7: slot 1: clear<268435457> has more than 2^28 elements"},
    {"B7TooManyElements", [](Program &p) { p.slots.resize(300, Type::clear({1 << 28})); },
     "B7: the slots have more than 2^36 elements"},
};

INSTANTIATE_TEST_SUITE_P(Rules, VerifyTest, testing::ValuesIn(kBroken), [](const auto &it) { return it.param.name; });

TEST(VerifyGroupTest, B5NoDependenceInsideAGroup) {
  Program program = branches().program;
  ASSERT_TRUE(verifyProgram(program));
  // branches: 2 weight, 3, 4 share.input, 5 scale, 6 relu, 7 max, 8 truncate; group 3 is 6..8.
  program.instructions[7].operands = {6, 4};
  EXPECT_THAT(verifyProgram(program).error().message, HasSubstr("B5: group 3: instruction 7 depends on another"));
}

TEST(VerifyGroupTest, B5OutputsOnlyWithTheirLike) {
  Program program = branches().program;
  auto &groups = program.groups; // ... [share.mul] [share.output share.output]
  groups[5].end = groups[6].begin + 1;
  groups[6].begin += 1;
  EXPECT_THAT(verifyProgram(program).error().message, HasSubstr("B5: group 5: share.output shares a group only"));
}

TEST(VerifyGroupTest, B6InputsHaveDifferentNames) {
  Program program = branches().program;
  program.instructions[1].attrs.set(Attr::Name, std::string("left"));
  EXPECT_THAT(verifyProgram(program).error().message, HasSubstr("B6: a second input is called 'left'"));
}

} // namespace
} // namespace sd
