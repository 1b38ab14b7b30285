#include "compiler/RandomRecords.h"

#include <algorithm>
#include <random>

namespace sd {

std::vector<Record> randomRecords(const Module &imported, const ColumnRanges &columns, std::size_t count) {
  std::mt19937 bits(1); // no secret: any values do
  std::vector<Record> records(count);
  for (Record &record : records)
    for (const Op &op : imported.ops) {
      if (op.kind != OpKind::Input) continue;
      Tensor<float> values(imported.type(op.result).shape);
      const auto own = columns.find(op.attrs.str(Attr::Name));
      for (std::size_t i = 0; i < values.data.size(); ++i) {
        const auto [low, high] = own != columns.end() ? own->second[i % own->second.size()]
                                                      : std::pair(op.attrs.f(Attr::Low), op.attrs.f(Attr::High));
        const double value = low + (high - low) * (static_cast<double>(bits()) * 0x1p-32);
        values.data[i] = static_cast<float>(std::clamp(value, low, high));
      }
      record.emplace(op.attrs.str(Attr::Name), std::move(values));
    }
  return records;
}

} // namespace sd
