// Linear layers over either ring. "MAC/s" is to be read beside BM_Peak's, of 32 bits: a multiplication and an addition
// of whole registers, nothing loaded, on one thread.
#include <benchmark/benchmark.h>

#include <hwy/highway.h>

#include "runtime/kernels/Convolution.h"
#include "runtime/kernels/MatMul.h"
#include "runtime/kernels/TileTargets.h"

namespace sd {
namespace {

void rate(benchmark::State &state, std::int64_t multiplyAdds) {
  state.counters["MAC/s"] =
      benchmark::Counter(static_cast<double>(multiplyAdds), benchmark::Counter::kIsIterationInvariantRate);
}

template <RingWord R>
std::vector<R> filled(std::int64_t n) {
  std::vector<R> v(n);
  R x = 1;
  for (R &e : v)
    e = x = x * 1664525u + 1013904223u;
  return v;
}

#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline)) void peak512(std::int64_t rounds, Ring32 *out) {
  using Lanes [[gnu::vector_size(64)]] = Ring32;
  Lanes sum[16], factor;
  for (int i = 0; i < 16; ++i)
    factor[i] = out[i] | 1;
  for (int i = 0; i < 16; ++i)
    sum[i] = factor + static_cast<Ring32>(i);
  for (std::int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      asm volatile("vpmulld %1, %0, %%zmm31\n\tvpaddd %%zmm31, %0, %0" : "+v"(sum[i]) : "v"(factor) : "xmm31");
    }
  for (int i = 0; i < 16; ++i)
    *reinterpret_cast<Lanes *>(out) += sum[i];
}

__attribute__((target("avx2"), noinline)) void peak256(std::int64_t rounds, Ring32 *out) {
  using Lanes [[gnu::vector_size(32)]] = Ring32;
  Lanes sum[12], factor;
  for (int i = 0; i < 8; ++i)
    factor[i] = out[i] | 1;
  for (int i = 0; i < 12; ++i)
    sum[i] = factor + static_cast<Ring32>(i);
  for (std::int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) {
      asm volatile("vpmulld %1, %0, %%ymm15\n\tvpaddd %%ymm15, %0, %0" : "+x"(sum[i]) : "x"(factor) : "xmm15");
    }
  for (int i = 0; i < 12; ++i)
    *reinterpret_cast<Lanes *>(out) += sum[i];
}

void BM_Peak(benchmark::State &state) {
  const bool wide = __builtin_cpu_supports("avx512f");
  if (!wide && !__builtin_cpu_supports("avx2")) return state.SkipWithError("needs AVX2");
  alignas(64) Ring32 out[16] = {};
  for (auto _ : state)
    wide ? peak512(1000, out) : peak256(1000, out);
  benchmark::DoNotOptimize(out);
  rate(state, 1000 * (wide ? 16 * 16 : 12 * 8));
}
BENCHMARK(BM_Peak);
#endif

template <RingWord R>
void run(benchmark::State &state, std::span<const ConvShape> layers) {
  ThreadPool pool;
  std::int64_t work = 0;
  std::vector<std::vector<R>> x, w, y;
  for (const ConvShape &shape : layers) {
    x.push_back(filled<R>(shape.inputSize())), w.push_back(filled<R>(shape.weightSize()));
    y.emplace_back(shape.outputSize());
    work += shape.multiplyAdds();
  }
  for (auto _ : state)
    for (std::size_t i = 0; i < layers.size(); ++i)
      convolve<R>(pool, layers[i], x[i], w[i], {}, y[i]);
  rate(state, work);
}

Window square(std::int64_t kernel, std::int64_t stride = 1) {
  const std::int64_t pad = kernel / 2;
  return {{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad}, {pad, pad}};
}

// The seven convolutions of MiniONN's CIFAR-10 network.
template <RingWord R>
void BM_CifarNetwork(benchmark::State &state) {
  const ConvShape layers[] = {
      {1, 1, 3, 64, {32, 32}, square(3)},  {1, 1, 64, 64, {32, 32}, square(3)}, {1, 1, 64, 64, {16, 16}, square(3)},
      {1, 1, 64, 64, {16, 16}, square(3)}, {1, 1, 64, 64, {8, 8}, square(3)},   {1, 1, 64, 64, {8, 8}, square(1)},
      {1, 1, 64, 16, {8, 8}, square(1)},
  };
  run<R>(state, layers);
}
BENCHMARK(BM_CifarNetwork<Ring32>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_CifarNetwork<Ring64>)->UseRealTime()->Unit(benchmark::kMillisecond);

// channels, extent, kernel, stride, groups
template <RingWord R>
void BM_Conv(benchmark::State &state) {
  const std::int64_t c = state.range(0), n = state.range(1);
  const ConvShape layer{1, state.range(4), c, c, {n, n}, square(state.range(2), state.range(3))};
  run<R>(state, {&layer, 1});
}
void layers(benchmark::internal::Benchmark *bench) {
  bench->Args({64, 32, 3, 1, 1})
      ->Args({64, 56, 3, 1, 1})
      ->Args({256, 14, 3, 1, 1})
      ->Args({512, 7, 3, 1, 1})
      ->Args({256, 14, 1, 1, 1})
      ->Args({128, 56, 3, 2, 1})
      ->Args({96, 112, 3, 1, 96})
      ->Args({96, 112, 3, 2, 96})
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}
BENCHMARK(BM_Conv<Ring32>)->Apply(layers);
BENCHMARK(BM_Conv<Ring64>)->Apply(layers);

// One tile of a layer of 64 channels by each variant of the inner loop on each instruction set, and a whole layer by
// byte matrices if the machine has them. BM_Conv has what is chosen.
const bool variantsRegistered = [] {
  const auto add = [&](const std::string &name, std::int64_t target, TileKernel *kernel) {
    const auto bench = [=](benchmark::State &state) {
      constexpr std::int64_t kRows = 32, kDepth = 9 * 64, kOffsets[] = {0};
      const auto w = filled<Ring32>(kRows * kDepth), x = filled<Ring32>(kDepth * kTileColumns);
      std::vector<Ring32> y(kRows * kTileColumns);
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
      for (auto _ : state)
        kernel({w.data(), kDepth, x.data(), kTileColumns, kDepth, kOffsets, y.data(), kTileColumns}, kRows,
               kTileColumns);
      hwy::SetSupportedTargetsForTest(0);
      hwy::GetChosenTarget().DeInit();
      rate(state, kRows * kDepth * kTileColumns);
    };
    benchmark::RegisterBenchmark(("BM_Tile/" + name).c_str(), bench)->Unit(benchmark::kMicrosecond);
  };
  for (const TileVariant &variant : tileVariants())
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets())
      if (variant.kernel != ifmaTile() || target == HWY_AVX3)
        add(std::string(variant.name) + "/" + hwy::TargetName(target), target, variant.kernel);
  if (ByteKernel *bytes = byteKernel())
    benchmark::RegisterBenchmark("BM_Bytes", [=](benchmark::State &state) {
      ThreadPool pool(1);
      const ConvShape layer{1, 1, 64, 64, {56, 56}, square(3)};
      const auto x = filled<Ring32>(layer.inputSize()), w = filled<Ring32>(layer.weightSize());
      std::vector<Ring32> y(layer.outputSize());
      for (auto _ : state)
        convolveBy<Ring32>(bytes, pool, layer, x, w, {}, y);
      rate(state, layer.multiplyAdds());
    })->Unit(benchmark::kMicrosecond);
  return true;
}();

// m, n, k, b transposed
template <RingWord R>
void BM_MatMul(benchmark::State &state) {
  ThreadPool pool;
  const MatMulShape shape{state.range(0), state.range(1), state.range(2), false, state.range(3) != 0};
  const auto a = filled<R>(shape.m * shape.k), b = filled<R>(shape.k * shape.n);
  std::vector<R> y(shape.m * shape.n);
  for (auto _ : state)
    matMul<R>(pool, shape, a, b, y);
  rate(state, shape.m * shape.n * shape.k);
}
void products(benchmark::internal::Benchmark *bench) {
  bench->Args({1, 128, 784, 0})
      ->Args({1, 1000, 2048, 0})
      ->Args({1, 1000, 2048, 1})
      ->Args({256, 256, 256, 0})
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}
BENCHMARK(BM_MatMul<Ring32>)->Apply(products);
BENCHMARK(BM_MatMul<Ring64>)->Apply(products);

} // namespace
} // namespace sd
