#include <gtest/gtest.h>

#include "ir/core/Windows.h"

using namespace sd;

namespace {

TEST(Windows, OutputsByHand) {
  EXPECT_EQ(*windowOutputs({5, 3, 1, 1, 1, 1}), 5);
  EXPECT_EQ(*windowOutputs({5, 3, 2, 0, 0, 1}), 2);
  EXPECT_EQ(*windowOutputs({6, 2, 2, 0, 0, 3}), 2);
  EXPECT_EQ(*windowOutputs({1, 1, 1, 0, 0, 1}), 1);
  EXPECT_EQ(*windowOutputs({6, 3, 2, 0, 0, 1, false}), 2);
  EXPECT_EQ(*windowOutputs({6, 3, 2, 0, 0, 1, true}), 3); // the last one runs over the end
  EXPECT_EQ(*windowOutputs({2, 1, 2, 0, 0, 1, true}), 1);
  EXPECT_EQ(*windowOutputs({4, 2, 3, 0, 1, 1, true}), 2);
  EXPECT_EQ(*windowOutputs({3, 1, 3, 0, 1, 1, true}), 1); // a second one would start in the padding
}

TEST(Windows, OutOfRangeIsAnError) {
  const auto most = std::numeric_limits<std::int64_t>::max();
  for (auto bad : {most, -most, std::int64_t{-1}, kMaxWindow + 1}) {
    EXPECT_FALSE(windowOutputs({5, bad, 1, 0, 0, 1}));
    EXPECT_FALSE(windowOutputs({5, 1, bad, 0, 0, 1}));
    EXPECT_FALSE(windowOutputs({5, 1, 1, bad, 0, 1}));
    EXPECT_FALSE(windowOutputs({5, 1, 1, 0, bad, 1}));
    EXPECT_FALSE(windowOutputs({5, 1, 1, 0, 0, bad}));
  }
  EXPECT_FALSE(windowOutputs({most, 1, 1, 0, 0, 1}));
  EXPECT_FALSE(windowOutputs({0, 1, 1, 0, 0, 1}));
  EXPECT_FALSE(windowOutputs({5, 1, 0, 0, 0, 1}));
  EXPECT_FALSE(windowOutputs({5, 7, 1, 0, 1, 1}));
}

// Against the definition, tap by tap, over all small geometries.
TEST(Windows, TapsByDefinition) {
  for (std::int64_t size = 1; size <= 5; ++size)
    for (std::int64_t kernel = 1; kernel <= 3; ++kernel)
      for (std::int64_t stride = 1; stride <= 3; ++stride)
        for (std::int64_t pads = 0; pads < 9; ++pads)
          for (std::int64_t dilation = 1; dilation <= 3; ++dilation)
            for (bool ceilMode : {false, true}) {
              const WindowAxis axis{size, kernel, stride, pads / 3, pads % 3, dilation, ceilMode};
              const std::int64_t extent = (kernel - 1) * dilation + 1, padded = size + axis.padBegin + axis.padEnd;
              std::int64_t count = 0, start = 0; // windows that fit, or in ceil mode begin before the end
              for (; start + extent <= padded || (ceilMode && start + extent < padded + stride); start += stride)
                ++count;
              if (ceilMode && start - stride >= size + axis.padBegin) --count; // all padding
              auto outputs = windowOutputs(axis);
              if (extent > padded) {
                EXPECT_FALSE(outputs);
                continue;
              }
              ASSERT_EQ(*outputs, count) << size << kernel << stride << pads << dilation << ceilMode;
              for (std::int64_t o = 0; o < count; ++o) {
                auto taps = windowTaps(axis, o);
                std::int64_t inside = 0, insidePadded = 0;
                for (std::int64_t tap = 0; tap < kernel; ++tap) {
                  const std::int64_t at = o * stride - axis.padBegin + tap * dilation;
                  const bool hits = at >= 0 && at < size;
                  EXPECT_EQ(hits, taps.begin <= tap && tap < taps.end);
                  inside += hits;
                  insidePadded += at < size + axis.padEnd;
                }
                EXPECT_EQ(countedTaps(axis, o, false), inside);
                EXPECT_EQ(countedTaps(axis, o, true), insidePadded);
              }
            }
}

} // namespace
