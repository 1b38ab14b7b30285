#include <gtest/gtest.h>

#include "RandomModule.h"
#include "ir/Verifier.h"

using namespace sd;

namespace {

Attrs names(std::vector<std::string> n = {"y"}) { return {{Attr::Names, std::move(n)}}; }
Attrs input(const char *name) {
  return {{Attr::Name, std::string(name)}, {Attr::Dims, std::vector<std::int64_t>{2, 3}}};
}
Attrs relu(std::int64_t round) {
  return {{Attr::Bits, std::int64_t{10}}, {Attr::Bound, std::int64_t{30}}, {Attr::Round, round}};
}

std::string errorOf(const Module &module) {
  auto ok = verify(module);
  return ok ? "" : ok.error().message;
}

Module lowered() { // x -> share -> relu -> relu -> output
  Builder builder("m");
  auto x = builder.create(OpKind::Input, {}, input("x"));
  const Type type = Type::share({2, 3}, 30);
  auto shared = *builder.add({OpKind::ShareInput, {x}, kNoValue, {}, ""}, &type);
  auto a = builder.create(OpKind::ShareRelu, {shared}, relu(1), "Relu_0");
  auto b = builder.create(OpKind::ShareRelu, {a}, relu(2));
  auto opened = builder.create(OpKind::ShareOutput, {b});
  builder.create(OpKind::Return, {builder.create(OpKind::Sigmoid, {opened})}, names());
  return builder.take();
}

TEST(Verifier, AcceptsAWholeModule) { EXPECT_EQ(errorOf(lowered()), ""); }

TEST(Verifier, V1UseBeforeDefinition) {
  Module module = lowered();
  std::swap(module.ops[2], module.ops[3]);
  EXPECT_EQ(errorOf(module), "op 2 (share.relu): V1: an operand is not the result of an earlier op");
  module = lowered();
  module.ops[2].operands[0] = 99;
  EXPECT_EQ(errorOf(module), "op 2 (share.relu from Relu_0): V1: an operand is not the result of an earlier op");
}

TEST(Verifier, V2RulesAndResults) {
  Module module = lowered();
  module.ops[2].attrs.set(Attr::Bits, std::int64_t{25});
  EXPECT_NE(errorOf(module).find("share.relu: C1"), std::string::npos);
  module = lowered();
  module.ops[2].attrs.set(Attr::Round, 1.5); // a wrong kind must not be read
  EXPECT_NE(errorOf(module).find("G3"), std::string::npos);
  module = lowered();
  module.types[2].scale = 7;
  EXPECT_NE(errorOf(module).find("G7"), std::string::npos);
  module = lowered();
  module.ops[3].result = module.ops[2].result;
  EXPECT_NE(errorOf(module).find("G7"), std::string::npos);
  module.types[module.ops[2].result].scale = 20; // now the type is neither's
  EXPECT_NE(errorOf(module), "");
  module = lowered();
  module.ops[2].result = 99;
  EXPECT_NE(errorOf(module).find("V2: the result has no type"), std::string::npos);
  module = lowered();
  module.types.push_back(Type::clear({1}));
  EXPECT_EQ(errorOf(module), "V2: a value has no op that defines it");
}

TEST(Verifier, V3ReturnAtTheEnd) {
  Module module = lowered();
  module.ops.pop_back();
  EXPECT_EQ(errorOf(module), "V3: the module does not end with nn.return");
  module = lowered();
  module.ops.push_back(module.ops.back());
  EXPECT_NE(errorOf(module).find("V3: nn.return is not the last op"), std::string::npos);
  EXPECT_NE(errorOf(Module{}), "");
}

TEST(Verifier, V4InputNames) {
  Builder builder("m");
  builder.create(OpKind::Input, {}, input("x"));
  auto y = builder.create(OpKind::Input, {}, input("x"));
  builder.create(OpKind::Return, {y}, names());
  EXPECT_NE(errorOf(builder.module()).find("V4: there is an input 'x' already"), std::string::npos);
}

TEST(Verifier, V5LoweredModulesHoldNoOtherNnOps) {
  Builder builder("m");
  auto x = builder.create(OpKind::Relu, {builder.create(OpKind::Input, {}, input("x"))});
  const Type type = Type::share({2, 3}, 10);
  auto shared = *builder.add({OpKind::ShareInput, {x}, kNoValue, {}, ""}, &type);
  builder.create(OpKind::Return, {builder.create(OpKind::ShareOutput, {shared})}, names());
  EXPECT_NE(errorOf(builder.module()).find("V5: nn.relu does not belong"), std::string::npos);
}

TEST(Verifier, V6OpenedValuesAreNotSharedAgain) {
  Builder builder("m");
  auto x = builder.create(OpKind::Input, {}, input("x"));
  const Type type = Type::share({2, 3}, 10);
  auto shared = *builder.add({OpKind::ShareInput, {x}, kNoValue, {}, ""}, &type);
  auto opened = builder.create(OpKind::Sigmoid, {builder.create(OpKind::ShareOutput, {shared})});
  auto again = *builder.add({OpKind::ShareInput, {opened}, kNoValue, {}, ""}, &type);
  builder.create(OpKind::Return, {builder.create(OpKind::ShareOutput, {again})}, names());
  EXPECT_NE(errorOf(builder.module()).find("V6"), std::string::npos);
}

TEST(Verifier, V7RoundsFollowDependencies) {
  Module module = lowered();
  module.ops[3].attrs.set(Attr::Round, std::int64_t{1});
  EXPECT_NE(errorOf(module).find("V7: round 1 depends on an op of round 1"), std::string::npos);
}

TEST(Verifier, ReportsAllAtTheirPlaces) {
  Module module = lowered();
  module.ops[2].attrs.set(Attr::Bits, std::int64_t{25});
  module.ops[3].attrs.set(Attr::Bound, std::int64_t{31});
  Diagnostics diagnostics;
  std::vector<Location> locations(module.ops.size());
  for (std::size_t i = 0; i < locations.size(); ++i)
    locations[i] = {"m.sdir", i + 1, 1, 1, "line"};
  EXPECT_FALSE(verify(module, diagnostics, locations));
  ASSERT_EQ(diagnostics.errors(), 2U);
  EXPECT_EQ(diagnostics.all()[0].where.line, 3U);
  EXPECT_EQ(diagnostics.all()[1].where.line, 4U);
}

} // namespace
