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

// The op's meaning, index by index.
std::vector<Ring> schoolbook(const Layer &l, const std::vector<Ring> &x, const std::vector<std::int32_t> &w) {
  const Shape y = outputShape(l);
  std::vector<Ring> out(elementCount(y));
  if (l.kind == OpKind::ShareMatMul) {
    const std::int64_t k = l.w[0], m = l.w[1];
    for (std::int64_t i = 0; i < elementCount(y); ++i)
      for (std::int64_t c = 0; c < k; ++c)
        out[i] += x[i / m * k + c] * static_cast<Ring>(w[c * m + i % m]);
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
      out[i] = x[i] * static_cast<Ring>(w[at]);
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
        if (inside) out[i] += x[at] * static_cast<Ring>(w[o * ws[0] + c * ws[1] + tap]);
      }
  }
  return out;
}

struct Outcome {
  std::vector<Ring> u, v;
  Traffic hospital, service;
};

// Runs both parties over several layers: all uploads first, as the offline phase does.
void check(const std::vector<Layer> &layers, std::mt19937_64 &rng) {
  auto [left, right] = makeMemoryConnections();
  std::vector<LinearLayer> plans;
  std::vector<std::vector<Ring>> r, u, v;
  std::vector<std::vector<std::int32_t>> w;
  PackingCost cost;
  for (auto &l : layers) {
    const Type operands[] = {Type::share(l.x, 10), Type::weight(l.w, 10)};
    plans.emplace_back(linearGeometry(l.kind, operands, l.attrs, Type::share(outputShape(l), 20)));
    r.emplace_back(elementCount(l.x));
    for (auto &x : r.back())
      x = static_cast<Ring>(rng());
    w.emplace_back(elementCount(l.w));
    for (auto &x : w.back())
      x = static_cast<std::int32_t>(rng() % 2047) - 1023;
    u.emplace_back(elementCount(outputShape(l)));
    v.emplace_back(u.back().size());
    const PackingCost c = packingCost(plans.back().geometry, plans.back().packing);
    cost.bytesUp += c.bytesUp + static_cast<std::int64_t>(kFrameHeaderBytes) * c.messagesUp;
    cost.bytesDown += c.bytesDown + static_cast<std::int64_t>(kFrameHeaderBytes) * c.messagesDown;
  }
  std::thread service([&, &connection = right] {
    ThreadPool threads(2);
    auto side = LinearService::setUp(connection->stream(3), testSeed(2));
    ASSERT_TRUE(side) << side.error().message;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      auto done = side->answer(plans[i], w[i], u[i], threads);
      ASSERT_TRUE(done) << done.error().message;
    }
  });
  ThreadPool threads(1);
  auto side = LinearHospital::setUp(left->stream(3), testSeed(1));
  ASSERT_TRUE(side);
  for (std::size_t i = 0; i < layers.size(); ++i)
    ASSERT_TRUE(side->upload(plans[i], r[i], threads));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    auto done = side->collect(plans[i], v[i], threads);
    ASSERT_TRUE(done) << done.error().message;
  }
  service.join();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto want = schoolbook(layers[i], r[i], w[i]);
    for (std::size_t j = 0; j < want.size(); ++j)
      ASSERT_EQ(u[i][j] + v[i][j], want[j])
          << "layer " << i << " (" << toString(layers[i].x) << " by " << toString(layers[i].w) << ") element " << j;
  }
  const Traffic traffic = left->traffic();
  EXPECT_EQ(traffic.bytesSent, cost.bytesUp + kLinearSetupBytes + kFrameHeaderBytes);
  EXPECT_EQ(traffic.bytesReceived, cost.bytesDown);
}

TEST(LinearCorrelation, ConvolutionsOfEveryForm) {
  std::mt19937_64 rng(11);
  check({conv({1, 3, 8, 8}, {4, 3, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1),
         conv({2, 3, 9, 7}, {5, 3, 3, 2}, {2, 1}, {1, 0, 2, 1}, {1, 2}, 1),
         conv({1, 6, 11, 11}, {4, 3, 3, 3}, {2, 3}, {2, 2, 2, 2}, {1, 1}, 2),
         conv({1, 8, 10, 10}, {8, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 8),
         conv({1, 4, 40}, {6, 4, 7}, {2}, {3, 3}, {3}, 1),
         conv({1, 2, 6, 6}, {3, 2, 6, 6}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1),
         conv({1, 1, 4, 4}, {2, 1, 3, 3}, {1, 1}, {4, 4, 4, 4}, {1, 1}, 1),
         conv({1, 3, 56, 56}, {2, 3, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1),
         conv({1, 1, 5, 5}, {1, 1, 1, 1}, {7, 7}, {0, 0, 0, 0}, {1, 1}, 1)},
        rng);
}

TEST(LinearCorrelation, LargeImagesAreTiled) {
  std::mt19937_64 rng(12);
  check({conv({1, 1, 90, 95}, {2, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1),
         conv({1, 2, 80, 81}, {1, 2, 7, 7}, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1),
         conv({1, 1, 9000}, {1, 1, 5}, {1}, {2, 2}, {1}, 1)},
        rng);
}

TEST(LinearCorrelation, MatricesAndScales) {
  std::mt19937_64 rng(13);
  check({{OpKind::ShareMatMul, {1, 30}, {30, 16}, {}},
         {OpKind::ShareMatMul, {5, 784}, {784, 128}, {}},
         {OpKind::ShareMatMul, {1, 5000}, {5000, 3}, {}},
         {OpKind::ShareMatMul, {1, 1}, {1, 1}, {}},
         {OpKind::ShareScale, {1, 6, 5, 5}, {1, 6, 1, 1}, {}},
         {OpKind::ShareScale, {2, 3, 4}, {3, 4}, {}},
         {OpKind::ShareScale, {2, 3, 4}, {1}, {}}},
        rng);
}

TEST(LinearCorrelation, RandomConvolutions) {
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
    check({conv(x, w, strides, begins, dilations, group)}, rng);
  }
}

TEST(LinearCorrelation, WeightsBeyondTheFloodAreRefused) {
  auto [left, right] = makeMemoryConnections();
  const Layer l{OpKind::ShareMatMul, {1, 2}, {2, 1}, {}};
  const Type operands[] = {Type::share(l.x, 10), Type::weight(l.w, 10)};
  const LinearLayer plan(linearGeometry(l.kind, operands, l.attrs, Type::share({1, 1}, 20)));
  auto hospital = LinearHospital::setUp(left->stream(3), testSeed(1));
  ASSERT_TRUE(hospital);
  auto service = LinearService::setUp(right->stream(3), testSeed(2));
  ASSERT_TRUE(service);
  ThreadPool threads(1);
  std::vector<Ring> u(1);
  const std::vector<std::int32_t> tooLarge = {static_cast<std::int32_t>(kMaxNoise * 2 / (2 * kErrorBound + 1)), 1};
  auto done = service->answer(plan, tooLarge, u, threads);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("--scale"), std::string::npos);
}

// The errors are dense: the weights of all outputs that share a polynomial add to each one's noise.
TEST(LinearCorrelation, NoiseIsThatOfTheWholeOutputBlock) {
  const Layer l{OpKind::ShareMatMul, {1, 64}, {64, 64}, {}};
  const Type operands[] = {Type::share(l.x, 10), Type::weight(l.w, 10)};
  const LinearGeometry geometry = linearGeometry(l.kind, operands, l.attrs, Type::share({1, 64}, 20));
  const Packing packing = choosePacking(geometry);
  ASSERT_GT(packing.outBlock, 1);
  const double outputs = static_cast<double>(std::min<std::int64_t>(packing.outBlock, 64));
  const std::vector<std::int32_t> equal(64 * 64, 1000);
  const double l1 = 64 * outputs * 1000;
  EXPECT_DOUBLE_EQ(noiseBound(geometry, packing, equal), 30 * std::sqrt(64 * outputs) * 1000 + l1 / 2);
  std::vector<std::int32_t> single(64 * 64, 0);
  single[77] = -1000;
  EXPECT_DOUBLE_EQ(noiseBound(geometry, packing, single), 21.5 * 1000); // the worst case is the smaller bound here
}

// Two inferences of one session over two layers, by two sessions at once; transforms kept up to the budget.
std::vector<std::vector<Ring>> sharesWithTransforms(std::uint64_t budget) {
  const Layer layers[] = {conv({1, 6, 9, 9}, {10, 3, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2),
                          {OpKind::ShareMatMul, {1, 300}, {300, 40}, {}}};
  std::vector<LinearLayer> plans;
  std::vector<std::vector<std::int32_t>> w;
  for (const Layer &l : layers) {
    const Type operands[] = {Type::share(l.x, 10), Type::weight(l.w, 10)};
    plans.emplace_back(linearGeometry(l.kind, operands, l.attrs, Type::share(outputShape(l), 20)));
    w.emplace_back(elementCount(l.w));
    for (std::size_t i = 0; i < w.back().size(); ++i)
      w.back()[i] = static_cast<std::int32_t>(i * 7919 % 2001) - 1000;
  }
  WeightTransforms transforms(budget);
  std::vector<std::vector<Ring>> shares(2);
  const auto session = [&](std::vector<Ring> &out) {
    auto [left, right] = makeMemoryConnections();
    ThreadPool threads(2);
    auto hospital = LinearHospital::setUp(left->stream(3), testSeed(1));
    auto service = LinearService::setUp(right->stream(3), testSeed(2));
    ASSERT_TRUE(hospital && service);
    for (int inference = 0; inference < 2; ++inference)
      for (std::size_t i = 0; i < plans.size(); ++i) {
        const std::vector<Ring> r(elementCount(layers[i].x), 0x9e3779b9U * (inference + 1));
        std::vector<Ring> u(elementCount(outputShape(layers[i]))), v(u.size());
        ASSERT_TRUE(hospital->upload(plans[i], r, threads));
        ASSERT_TRUE(service->answer(plans[i], w[i], u, threads, &transforms.of(i, keptPolynomials(plans[i]))));
        ASSERT_TRUE(hospital->collect(plans[i], v, threads));
        const auto want = schoolbook(layers[i], r, w[i]);
        for (std::size_t j = 0; j < want.size(); ++j)
          ASSERT_EQ(u[j] + v[j], want[j]);
        out.insert(out.end(), v.begin(), v.end());
      }
  };
  std::thread other([&] { session(shares[1]); });
  session(shares[0]);
  other.join();
  return shares;
}

TEST(LinearCorrelation, KeptTransformsChangeNothing) {
  const auto none = sharesWithTransforms(0);
  EXPECT_EQ(none[0], none[1]);
  constexpr std::uint64_t kPolynomial = kRlwePolyWords * sizeof(std::uint64_t);
  for (std::uint64_t budget : {3 * kPolynomial, 1000 * kPolynomial})
    EXPECT_EQ(sharesWithTransforms(budget), none);
}

TEST(LinearCorrelation, TransformsAreKeptUpToTheBudget) {
  constexpr std::uint64_t kPolynomial = kRlwePolyWords * sizeof(std::uint64_t);
  WeightTransforms transforms(5 * kPolynomial + 1);
  const auto kept = [&](std::size_t layer, std::size_t count) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < count; ++i)
      n += transforms.of(layer, count).find(i, makeRlwePoly) != nullptr;
    return n;
  };
  EXPECT_EQ(kept(0, 3), 3U);
  EXPECT_EQ(kept(1, 4), 2U);
  EXPECT_EQ(kept(2, 1), 0U);
  EXPECT_EQ(transforms.of(0, 3).find(2, makeRlwePoly), transforms.of(0, 3).find(2, makeRlwePoly));
}

TEST(LinearCorrelation, ShortUploadEndsTheSession) {
  auto [left, right] = makeMemoryConnections();
  const std::vector<std::uint8_t> stray(100);
  ASSERT_TRUE(left->stream(3).send(0x300, stray));
  EXPECT_FALSE(LinearService::setUp(right->stream(3), testSeed(2)));
}

} // namespace
} // namespace sd
