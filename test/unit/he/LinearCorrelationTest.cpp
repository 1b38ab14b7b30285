#include "runtime/he/LinearCorrelation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>

#include "ir/core/OpRules.h"
#include "runtime/he/PackingLayout.h"
#include "runtime/net/MemoryChannel.h"

namespace sd {
namespace {

Seed testSeed(std::uint8_t tag) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = tag;
  return Seed(bytes);
}

struct Layer {
  OpKind kind;
  Shape x, w;
  Attrs attrs;
};

Layer conv(Shape x, Shape w, std::vector<std::int64_t> strides, std::vector<std::int64_t> pads,
           std::vector<std::int64_t> dilations, std::int64_t group) {
  return {OpKind::ShareConv,
          std::move(x),
          std::move(w),
          {{Attr::Strides, strides}, {Attr::Pads, pads}, {Attr::Dilations, dilations}, {Attr::Group, group}}};
}

Shape outputShape(const Layer &l) {
  const Type operands[] = {Type::share(l.x, 10), Type::weight(l.w, 10)};
  auto type = resultType(l.kind, operands, l.attrs);
  EXPECT_TRUE(type) << type.error().message;
  return type->shape;
}

template <RingWord R>
LinearGeometry geometryOf(const Layer &l) {
  const Type operands[] = {Type::share(l.x, 10), Type::weight(l.w, 10)};
  return linearGeometry(l.kind, operands, l.attrs, Type::share(outputShape(l), 20), kBitsOf<R>);
}

// The op's meaning, index by index.
template <RingWord R>
std::vector<R> schoolbook(const Layer &l, const std::vector<R> &x, const std::vector<SignedOf<R>> &w) {
  const Shape y = outputShape(l);
  std::vector<R> out(elementCount(y));
  if (l.kind == OpKind::ShareMatMul) {
    const std::int64_t k = l.w[0], m = l.w[1];
    for (std::int64_t i = 0; i < elementCount(y); ++i)
      for (std::int64_t c = 0; c < k; ++c)
        out[i] += x[i / m * k + c] * static_cast<R>(w[c * m + i % m]);
    return out;
  }
  const Shape xs = rowMajorStrides(l.x), ws = rowMajorStrides(l.w), ys = rowMajorStrides(y);
  if (l.kind == OpKind::ShareScale) {
    for (std::int64_t i = 0; i < elementCount(y); ++i) {
      std::int64_t at = 0;
      for (std::size_t a = 0; a < l.w.size(); ++a) {
        const std::size_t axis = a + l.x.size() - l.w.size();
        if (l.w[a] != 1) at += i / xs[axis] % l.x[axis] * ws[a];
      }
      out[i] = x[i] * static_cast<R>(w[at]);
    }
    return out;
  }
  const auto &strides = l.attrs.ints(Attr::Strides), &pads = l.attrs.ints(Attr::Pads),
             &dilations = l.attrs.ints(Attr::Dilations);
  const std::int64_t perGroup = l.w[0] / l.attrs.i(Attr::Group);
  std::int64_t taps = 1;
  for (std::size_t a = 2; a < l.w.size(); ++a)
    taps *= l.w[a];
  for (std::int64_t i = 0; i < elementCount(y); ++i) {
    const std::int64_t o = i / ys[1] % y[1];
    for (std::int64_t c = 0; c < l.w[1]; ++c)
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        std::int64_t at = i / ys[0] * xs[0] + (o / perGroup * l.w[1] + c) * xs[1];
        bool inside = true;
        for (std::size_t a = 2; a < l.x.size(); ++a) {
          const std::int64_t p =
              i / ys[a] % y[a] * strides[a - 2] + tap / ws[a] % l.w[a] * dilations[a - 2] - pads[a - 2];
          inside &= p >= 0 && p < l.x[a];
          at += p * xs[a];
        }
        if (inside) out[i] += x[at] * static_cast<R>(w[o * ws[0] + c * ws[1] + tap]);
      }
  }
  return out;
}

// Runs both parties over several layers: all uploads first, as the offline phase does.
template <RingWord R>
void check(const std::vector<Layer> &layers, std::mt19937_64 &rng) {
  auto [left, right] = makeMemoryConnections();
  std::vector<LinearLayer> plans;
  std::vector<std::vector<R>> r, u, v;
  std::vector<std::vector<SignedOf<R>>> w;
  PackingCost cost;
  const std::int64_t largest = kBitsOf<R> == 32 ? 1023 : 1 << 20;
  for (auto &l : layers) {
    plans.emplace_back(geometryOf<R>(l));
    r.emplace_back(elementCount(l.x));
    for (auto &x : r.back())
      x = static_cast<R>(rng());
    w.emplace_back(elementCount(l.w));
    for (auto &x : w.back())
      x = static_cast<SignedOf<R>>(static_cast<std::int64_t>(rng() % (2 * largest + 1)) - largest);
    u.emplace_back(elementCount(outputShape(l)));
    v.emplace_back(u.back().size());
    const PackingCost c = packingCost(plans.back().geometry, plans.back().packing);
    cost.bytesUp += c.bytesUp + static_cast<std::int64_t>(kFrameHeaderBytes) * c.messagesUp;
    cost.bytesDown += c.bytesDown + static_cast<std::int64_t>(kFrameHeaderBytes) * c.messagesDown;
  }
  std::thread service([&, &connection = right] {
    ThreadPool threads(2);
    auto side = LinearService<R>::setUp(connection->stream(3), testSeed(2));
    ASSERT_TRUE(side) << side.error().message;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      auto done = side->answer(plans[i], w[i], u[i], threads);
      ASSERT_TRUE(done) << done.error().message;
    }
  });
  ThreadPool threads(1);
  auto side = LinearHospital<R>::setUp(left->stream(3), testSeed(1));
  ASSERT_TRUE(side);
  for (std::size_t i = 0; i < layers.size(); ++i)
    ASSERT_TRUE(side->upload(plans[i], r[i], threads));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    auto done = side->collect(plans[i], v[i], threads);
    ASSERT_TRUE(done) << done.error().message;
  }
  service.join();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto want = schoolbook<R>(layers[i], r[i], w[i]);
    for (std::size_t j = 0; j < want.size(); ++j)
      ASSERT_EQ(static_cast<R>(u[i][j] + v[i][j]), want[j])
          << "layer " << i << " (" << toString(layers[i].x) << " by " << toString(layers[i].w) << ") element " << j;
  }
  const Traffic traffic = left->traffic();
  EXPECT_EQ(traffic.bytesSent, cost.bytesUp + kLinearSetupBytes<R> + kFrameHeaderBytes);
  EXPECT_EQ(traffic.bytesReceived, cost.bytesDown);
}

template <class R>
struct LinearCorrelation : testing::Test {};
using Rings = testing::Types<Ring32, Ring64>;
TYPED_TEST_SUITE(LinearCorrelation, Rings);

TYPED_TEST(LinearCorrelation, ConvolutionsOfEveryForm) {
  std::mt19937_64 rng(11);
  check<TypeParam>({conv({1, 3, 8, 8}, {4, 3, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1),
                    conv({2, 3, 9, 7}, {5, 3, 3, 2}, {2, 1}, {1, 0, 2, 1}, {1, 2}, 1),
                    conv({1, 6, 11, 11}, {4, 3, 3, 3}, {2, 3}, {2, 2, 2, 2}, {1, 1}, 2),
                    conv({1, 8, 10, 10}, {8, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 8),
                    conv({1, 4, 40}, {6, 4, 7}, {2}, {3, 3}, {3}, 1),
                    conv({1, 2, 6, 6}, {3, 2, 6, 6}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1),
                    conv({1, 1, 4, 4}, {2, 1, 3, 3}, {1, 1}, {4, 4, 4, 4}, {1, 1}, 1),
                    conv({1, 3, 56, 56}, {2, 3, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1),
                    conv({1, 9, 28, 28}, {7, 9, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1),
                    conv({1, 30, 7, 7}, {40, 30, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1),
                    conv({1, 12, 14, 13}, {10, 6, 1, 1}, {2, 1}, {0, 0, 0, 0}, {1, 1}, 2),
                    conv({1, 5, 20, 12}, {6, 5, 3, 1}, {1, 1}, {1, 0, 1, 0}, {1, 1}, 1),
                    conv({1, 1, 5, 5}, {1, 1, 1, 1}, {7, 7}, {0, 0, 0, 0}, {1, 1}, 1)},
                   rng);
}

TYPED_TEST(LinearCorrelation, LargeImagesAreTiled) {
  std::mt19937_64 rng(12);
  check<TypeParam>({conv({1, 1, 90, 95}, {2, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1),
                    conv({1, 2, 80, 81}, {1, 2, 7, 7}, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1),
                    conv({1, 1, 9000}, {1, 1, 5}, {1}, {2, 2}, {1}, 1)},
                   rng);
}

TYPED_TEST(LinearCorrelation, MatricesAndScales) {
  std::mt19937_64 rng(13);
  check<TypeParam>({{OpKind::ShareMatMul, {1, 30}, {30, 16}, {}},
                    {OpKind::ShareMatMul, {5, 784}, {784, 128}, {}},
                    {OpKind::ShareMatMul, {1, 5000}, {5000, 3}, {}},
                    {OpKind::ShareMatMul, {1, 1}, {1, 1}, {}},
                    {OpKind::ShareScale, {1, 6, 5, 5}, {1, 6, 1, 1}, {}},
                    {OpKind::ShareScale, {2, 3, 4}, {3, 4}, {}},
                    {OpKind::ShareScale, {2, 3, 4}, {1}, {}}},
                   rng);
}

TYPED_TEST(LinearCorrelation, RandomConvolutions) {
  std::mt19937_64 rng(14);
  auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng() % (high - low + 1));
  };
  for (int round = 0; round < 12; ++round) {
    const std::int64_t group = pick(1, 3);
    Shape x{pick(1, 2), group * pick(1, 4)}, w{group * pick(1, 4), x[1] / group};
    std::vector<std::int64_t> strides, begins, ends, dilations;
    for (int a = 0; a < 2; ++a) {
      w.push_back(pick(1, 4));
      dilations.push_back(pick(1, 3));
      strides.push_back(pick(1, 4));
      begins.push_back(pick(0, 4));
      ends.push_back(pick(0, 4));
      x.push_back(dilations.back() * (w.back() - 1) + 1 + pick(0, 12));
    }
    begins.insert(begins.end(), ends.begin(), ends.end());
    check<TypeParam>({conv(x, w, strides, begins, dilations, group)}, rng);
  }
}

// The form of the weight polynomials follows from the shape; room for sparse ones is made where it costs little.
TYPED_TEST(LinearCorrelation, KernelsOfOneTapGiveSparseWeights) {
  const auto form = [](const Layer &l) { return choosePacking(geometryOf<TypeParam>(l)).weightForm(); };
  const auto pointwise = [](std::int64_t in, std::int64_t out, std::int64_t side) {
    return conv({1, in, side, side}, {out, in, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1);
  };
  EXPECT_EQ(form(pointwise(64, 64, kBitsOf<TypeParam> == 32 ? 56 : 80)), WeightForm::Constant);
  for (const std::int64_t side : {28, 14, 7})
    EXPECT_EQ(form(pointwise(256, 256, side)), WeightForm::Sparse) << side;
  EXPECT_EQ(form(conv({1, 64, 14, 14}, {64, 64, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1)), WeightForm::Dense);
  EXPECT_EQ(form({OpKind::ShareMatMul, {1, 300}, {300, 40}, {}}), WeightForm::Dense);
}

// Whatever the balance, both sides choose the same packing and send what it costs; the higher, the more bytes and the
// less work.
TYPED_TEST(LinearCorrelation, BalanceTradesBytesForWork) {
  const auto bytes = [](const PackingCost &c) { return c.bytesUp + c.bytesDown; };
  const auto work = [](const PackingCost &c) {
    return 7 * (c.uploads + 2 * c.replies) + c.products + 2 * c.denseWeights;
  };
  std::mt19937_64 rng(15);
  std::vector<Layer> layers{conv({1, 16, 12, 12}, {16, 16, 5, 5}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1),
                            {OpKind::ShareMatMul, {1, 784}, {784, 128}, {}}};
  std::vector<PackingCost> before;
  for (std::int64_t balance : {0, 150, 1500, 1 << 20}) {
    std::vector<PackingCost> costs;
    for (Layer &l : layers) {
      l.attrs.set(Attr::Balance, balance);
      const LinearLayer plan(geometryOf<TypeParam>(l));
      costs.push_back(packingCost(plan.geometry, plan.packing));
    }
    check<TypeParam>(layers, rng);
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_GE(bytes(costs[i]), bytes(before[i])) << "layer " << i << ", balance " << balance;
      EXPECT_LE(work(costs[i]), work(before[i])) << "layer " << i << ", balance " << balance;
    }
    before = std::move(costs);
  }

  // Which layers have such a choice within the bytes allowed depends on the ring.
  const auto costAt = [](std::int64_t balance) {
    PackingCost sum;
    for (const auto &l : {conv({1, 256, 14, 14}, {256, 256, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1),
                          conv({1, 512, 14, 14}, {512, 512, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1)}) {
      LinearGeometry wide = geometryOf<TypeParam>(l);
      wide.balance = balance;
      sum += packingCost(wide, choosePacking(wide));
    }
    return sum;
  };
  const PackingCost small = costAt(0), quick = costAt(1 << 20);
  EXPECT_LT(bytes(small), bytes(quick));
  EXPECT_GT(work(small), work(quick));
}

TYPED_TEST(LinearCorrelation, WeightsBeyondTheFloodAreRefused) {
  using R = TypeParam;
  constexpr double kMost = RlweParameters<R>::kMaxSquares;
  EXPECT_TRUE(checkHidden<R>(kMost));
  const auto refused = checkHidden<R>(4 * kMost);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("up to 2^-39.00"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("--weight-scale at least 2 times"), std::string::npos);
}

// The errors are dense: the weights of all outputs that share a polynomial add to each one's noise.
TYPED_TEST(LinearCorrelation, NoiseIsThatOfTheWholeOutputBlock) {
  using R = TypeParam;
  const LinearGeometry geometry = geometryOf<R>({OpKind::ShareMatMul, {1, 64}, {64, 64}, {}});
  const Packing packing = choosePacking(geometry);
  ASSERT_GT(packing.outBlock, 1);
  ASSERT_GE(packing.outBlock, 64); // one block, in which all meet
  const std::vector<SignedOf<R>> equal(64 * 64, 1000);
  EXPECT_DOUBLE_EQ(replySquares<SignedOf<R>>(geometry, packing, equal), 64 * 64e6 * 64);
  std::vector<SignedOf<R>> single(64 * 64, 0);
  single[77] = -1000;
  EXPECT_DOUBLE_EQ(replySquares<SignedOf<R>>(geometry, packing, single), 64e6);
  // Tiles of an image: each output of each tile counts.
  const LinearGeometry image = geometryOf<R>(conv({1, 2, 150, 150}, {3, 2, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1));
  const Packing tiles = choosePacking(image);
  ASSERT_GT(tiles.tileCount(), 1);
  ASSERT_EQ(tiles.outBlock, 1);
  EXPECT_DOUBLE_EQ(replySquares<SignedOf<R>>(image, tiles, std::vector<SignedOf<R>>(54, -2)), 150 * 150 * 3 * 18 * 4.0);
}

// Two inferences of one session over two layers, by two sessions at once; transforms kept up to the budget.
template <RingWord R>
std::vector<std::vector<R>> sharesWithTransforms(std::uint64_t budget) {
  const Layer layers[] = {conv({1, 6, 9, 9}, {10, 3, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2),
                          {OpKind::ShareMatMul, {1, 300}, {300, 40}, {}}};
  std::vector<LinearLayer> plans;
  std::vector<std::vector<SignedOf<R>>> w;
  for (const Layer &l : layers) {
    plans.emplace_back(geometryOf<R>(l));
    w.emplace_back(elementCount(l.w));
    for (std::size_t i = 0; i < w.back().size(); ++i)
      w.back()[i] = static_cast<SignedOf<R>>(i * 7919 % 2001) - 1000;
  }
  WeightTransforms transforms(budget);
  std::vector<std::vector<R>> shares(2);
  const auto session = [&](std::vector<R> &out) {
    auto [left, right] = makeMemoryConnections();
    ThreadPool threads(2);
    auto hospital = LinearHospital<R>::setUp(left->stream(3), testSeed(1));
    auto service = LinearService<R>::setUp(right->stream(3), testSeed(2));
    ASSERT_TRUE(hospital && service);
    for (int inference = 0; inference < 2; ++inference)
      for (std::size_t i = 0; i < plans.size(); ++i) {
        const std::vector<R> r(elementCount(layers[i].x), static_cast<R>(0x9e3779b97f4a7c15U * (inference + 1)));
        std::vector<R> u(elementCount(outputShape(layers[i]))), v(u.size());
        ASSERT_TRUE(hospital->upload(plans[i], r, threads));
        ASSERT_TRUE(service->answer(plans[i], w[i], u, threads,
                                    &transforms.of(i, keptPolynomials(plans[i]), 8 * RlweParameters<R>::kPolyWords)));
        ASSERT_TRUE(hospital->collect(plans[i], v, threads));
        const auto want = schoolbook<R>(layers[i], r, w[i]);
        for (std::size_t j = 0; j < want.size(); ++j)
          ASSERT_EQ(static_cast<R>(u[j] + v[j]), want[j]);
        out.insert(out.end(), v.begin(), v.end());
      }
  };
  std::thread other([&] { session(shares[1]); });
  session(shares[0]);
  other.join();
  return shares;
}

TYPED_TEST(LinearCorrelation, KeptTransformsChangeNothing) {
  const auto none = sharesWithTransforms<TypeParam>(0);
  EXPECT_EQ(none[0], none[1]);
  constexpr std::uint64_t kPolynomial = RlweParameters<TypeParam>::kPolyWords * sizeof(std::uint64_t);
  for (std::uint64_t budget : {3 * kPolynomial, 1000 * kPolynomial})
    EXPECT_EQ(sharesWithTransforms<TypeParam>(budget), none);
}

TEST(WeightTransforms, AreKeptUpToTheBudget) {
  constexpr std::uint64_t kPolynomial = 65536;
  WeightTransforms transforms(5 * kPolynomial + 1);
  const auto kept = [&](std::size_t layer, std::size_t count) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < count; ++i)
      n += transforms.of(layer, count, kPolynomial).find(i, makeRlwePoly<Ring32>) != nullptr;
    return n;
  };
  EXPECT_EQ(kept(0, 3), 3U);
  EXPECT_EQ(kept(1, 4), 2U);
  EXPECT_EQ(kept(2, 1), 0U);
  EXPECT_EQ(transforms.of(0, 3, kPolynomial).find(2, makeRlwePoly<Ring32>),
            transforms.of(0, 3, kPolynomial).find(2, makeRlwePoly<Ring32>));
}

TYPED_TEST(LinearCorrelation, ShortUploadEndsTheSession) {
  auto [left, right] = makeMemoryConnections();
  const std::vector<std::uint8_t> stray(100);
  ASSERT_TRUE(left->stream(3).send(0x300, stray));
  EXPECT_FALSE(LinearService<TypeParam>::setUp(right->stream(3), testSeed(2)));
}

} // namespace
} // namespace sd
