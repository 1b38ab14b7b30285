#include "compiler/RandomRecords.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <random>

namespace sd {

namespace {

constexpr double kNoise = 0.1; // of smooth values, as a part of the range

// No secret: any values do.
class Source {
public:
  double uniform() { return static_cast<double>(bits_()) * 0x1p-32; } // 0 to 1

  // As parts of the range, element by element.
  std::vector<double> record(const Shape &shape, RecordKind kind) {
    std::vector<double> parts(static_cast<std::size_t>(elementCount(shape)));
    if (kind == RecordKind::Smooth) {
      smooth(shape, parts);
    } else {
      for (double &part : parts)
        part = uniform();
    }
    return parts;
  }

private:
  // A wave along each of the last two axes, about a level of the record's own.
  void smooth(const Shape &shape, std::vector<double> &parts) {
    const std::size_t rank = shape.size();
    const std::int64_t width = rank > 0 ? shape[rank - 1] : 1, height = rank > 1 ? shape[rank - 2] : 1;
    const double level = uniform(), contrast = uniform() / 2;
    std::array<double, 4> waves{}; // turns, and where they begin
    const auto along = [&](std::int64_t at, std::int64_t size, std::size_t wave) {
      const double turns = waves[wave] * static_cast<double>(at) / static_cast<double>(size);
      return std::sin(2 * std::numbers::pi * (turns + waves[wave + 1]));
    };
    for (std::int64_t i = 0; i < std::ssize(parts); ++i) {
      if (i % (width * height) == 0)
        for (double &wave : waves)
          wave = uniform() * 2;
      const double shade = along(i % width, width, 0) + along(i / width % height, height, 2);
      parts[static_cast<std::size_t>(i)] = level + contrast * shade / 2 + kNoise * (uniform() - 0.5);
    }
  }

  std::mt19937 bits_{1};
};

} // namespace

std::vector<Record> randomRecords(const Module &imported, const ColumnRanges &columns, std::size_t count,
                                  RecordKind kind) {
  Source source;
  std::vector<Record> records(count);
  for (Record &record : records)
    for (const Op &op : imported.ops) {
      if (op.kind != OpKind::Input) continue;
      Tensor<float> values(imported.type(op.result).shape);
      const auto parts = source.record(values.shape, kind);
      const auto own = columns.find(op.attrs.str(Attr::Name));
      for (std::size_t i = 0; i < values.data.size(); ++i) {
        const auto [low, high] = own != columns.end() ? own->second[i % own->second.size()]
                                                      : std::pair(op.attrs.f(Attr::Low), op.attrs.f(Attr::High));
        values.data[i] = static_cast<float>(std::clamp(low + (high - low) * parts[i], low, high));
      }
      record.emplace(op.attrs.str(Attr::Name), std::move(values));
    }
  return records;
}

} // namespace sd
