#include <gtest/gtest.h>

#include "RandomModule.h"
#include "ir/Module.h"

using namespace sd;

namespace {

Attrs input(const char *name) {
  return {{Attr::Name, std::string(name)}, {Attr::Dims, std::vector<std::int64_t>{2, 3}}};
}
Attrs names() { return {{Attr::Names, std::vector<std::string>{"y"}}}; }

TEST(Builder, RefusesWhatTheRuleRefuses) {
  Builder builder("m");
  auto x = builder.create(OpKind::Input, {}, input("x"));
  EXPECT_FALSE(builder.add({OpKind::Relu, {x, x, x}, kNoValue, {}, ""}));
  EXPECT_FALSE(builder.add({OpKind::Relu, {7}, kNoValue, {}, ""}));
  const Type weight = Type::weight({2}, 3);
  EXPECT_FALSE(builder.add({OpKind::ShareConstant, {}, kNoValue, {}, ""}, &weight));
  EXPECT_EQ(builder.module().ops.size(), 1U);
  EXPECT_EQ(builder.module().types.size(), 1U);
}

TEST(Module, EqualityIsUpToNumbering) {
  Builder builder("m");
  auto x = builder.create(OpKind::Input, {}, input("x")), y = builder.create(OpKind::Input, {}, input("y"));
  builder.create(OpKind::Return, {builder.create(OpKind::Sub, {x, y})}, names());
  const Module a = builder.take();
  Module b = a; // the same with x and y's numbers swapped
  std::swap(b.ops[0].result, b.ops[1].result);
  b.ops[2].operands = {1, 0};
  EXPECT_TRUE(a == b);
  b.ops[2].operands = {0, 1};
  EXPECT_FALSE(a == b);
  for (std::uint32_t seed = 0; seed < 10; ++seed)
    EXPECT_FALSE(test::randomModule(seed, false) == test::randomModule(seed + 10, false));
}

TEST(Module, EqualitySeesEveryPart) {
  const Module a = test::randomModule(1, true);
  auto stillEqual = [&](auto change) {
    Module b = a;
    change(b);
    return a == b;
  };
  EXPECT_TRUE(stillEqual([](Module &) {}));
  EXPECT_FALSE(stillEqual([](Module &b) { b.name += "x"; }));
  EXPECT_FALSE(stillEqual([](Module &b) { b.ops[2].source += "x"; }));
  EXPECT_FALSE(stillEqual([](Module &b) { b.types[2].scale += 1; }));
  EXPECT_FALSE(stillEqual([](Module &b) { b.ops.back().attrs.set(Attr::Names, std::vector<std::string>{"z"}); }));
  EXPECT_FALSE(stillEqual([](Module &b) { b.ops.pop_back(); }));
}

TEST(Module, UsersAndDefinitions) {
  Builder builder("m");
  auto x = builder.create(OpKind::Input, {}, input("x"));
  auto sum = builder.create(OpKind::Add, {x, x}), relu = builder.create(OpKind::Relu, {x});
  builder.create(OpKind::Return, {builder.create(OpKind::Add, {sum, relu})}, names());
  EXPECT_EQ(usersOf(builder.module())[x], (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(usersOf(builder.module())[sum], (std::vector<std::size_t>{3}));
  EXPECT_EQ(definitionsOf(builder.module()), (std::vector<std::size_t>{0, 1, 2, 3}));
}

} // namespace
