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
// Products and sums of whole registers in eight chains and more.
#define SD_PEAK(name, isa, bytes, suffix)                                                                              \
  __attribute__((target(isa), noinline)) void name(std::int64_t rounds, Ring32 *out) {                                 \
    using Lanes [[gnu::vector_size(bytes), gnu::may_alias]] = Ring32;                                                  \
    constexpr int kSums = 8;                                                                                           \
    Lanes sum[kSums], factor = *reinterpret_cast<Lanes *>(out) | 1;                                                    \
    for (int i = 0; i < kSums; ++i)                                                                                    \
      sum[i] = factor + static_cast<Ring32>(i);                                                                        \
    for (std::int64_t r = 0; r < rounds; ++r)                                                                          \
      _Pragma("GCC unroll 8") for (int i = 0; i < kSums; ++i) {                                                        \
        Lanes product;                                                                                                 \
        asm volatile("vpmulld %2, %1, %0\n\tvpaddd %0, %1, %1"                                                         \
                     : "=&" suffix(product), "+" suffix(sum[i])                                                        \
                     : suffix(factor));                                                                                \
      }                                                                                                                \
    for (int i = 0; i < kSums; ++i)                                                                                    \
      *reinterpret_cast<Lanes *>(out) += sum[i];                                                                       \
  }
SD_PEAK(peak256, "avx2", 32, "x")
SD_PEAK(peak512, "avx512f", 64, "v")
#undef SD_PEAK

void BM_Peak(benchmark::State &state) {
  const bool wide = __builtin_cpu_supports("avx512f");
  if (!wide && !__builtin_cpu_supports("avx2")) return state.SkipWithError("needs AVX2");
  alignas(64) Ring32 out[16] = {};
  for (auto _ : state)
    wide ? peak512(1000, out) : peak256(1000, out);
  benchmark::DoNotOptimize(out);
  rate(state, 1000 * 8 * (wide ? 16 : 8));
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

// One layer by each variant that this machine has. Its own choice is that of BM_Conv.
const bool variantsRegistered = [] {
  const ConvShape layer{1, 1, 64, 64, {56, 56}, square(3)};
  const auto add = [&](const std::string &name, std::int64_t target, ByteKernel *bytes) {
    const auto bench = [=](benchmark::State &state) {
      ThreadPool pool;
      const auto x = filled<Ring32>(layer.inputSize()), w = filled<Ring32>(layer.weightSize());
      std::vector<Ring32> y(layer.outputSize());
      if (target) hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
      for (auto _ : state)
        convolveBy<Ring32>(bytes, pool, layer, x, w, {}, y);
      hwy::SetSupportedTargetsForTest(0);
      hwy::GetChosenTarget().DeInit();
      rate(state, layer.multiplyAdds());
    };
    benchmark::RegisterBenchmark(("BM_Variant/" + name).c_str(), bench)->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  if (byteKernel()) add("bytes", 0, byteKernel());
  if (ifmaTile()) add("IFMA", 0, nullptr);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets())
    if (target != HWY_AVX3 || !ifmaTile()) add(hwy::TargetName(target), target, nullptr);
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
