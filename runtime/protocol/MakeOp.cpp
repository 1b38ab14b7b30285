#include "runtime/protocol/MakeOp.h"

#include <cassert>

#include "runtime/protocol/Compare.h"
#include "runtime/protocol/InputOutput.h"
#include "runtime/protocol/Product.h"
#include "runtime/protocol/Truncate.h"

namespace sd {

Expected<std::unique_ptr<ServiceOp>> makeServiceOp(const Plan &plan, std::size_t index, ServiceBundle &bundle,
                                                   std::span<const MaskedTensor *const> operands, ThreadPool *pool,
                                                   std::span<const Ring> turned) {
  const PlanEntry &entry = plan.entries[index];
  assert(static_cast<int>(operands.size()) == entry.operands());
  switch (entry.kind) {
  case EntryKind::Input:
    return std::make_unique<ServiceInput>(entry);
  case EntryKind::Output:
    return ServiceOutput::make(entry, *operands[0]);
  case EntryKind::Truncate: {
    SD_ASSIGN(TruncateService material, bundle.take<TruncateService>(index));
    return ServiceTruncate::make(entry, std::move(material), *operands[0], pool);
  }
  case EntryKind::Compare: {
    SD_ASSIGN(CompareService material, bundle.take<CompareService>(index));
    return ServiceCompare::makeRelu(entry, std::move(material), *operands[0], pool, turned);
  }
  case EntryKind::Maximum: {
    SD_ASSIGN(CompareService material, bundle.take<CompareService>(index));
    return ServiceCompare::makeMaximum(entry, std::move(material), *operands[0], *operands[1], pool);
  }
  case EntryKind::Product: {
    SD_ASSIGN(ProductService material, bundle.take<ProductService>(index));
    return ServiceProduct::make(entry, std::move(material), *operands[0], *operands[1]);
  }
  case EntryKind::Linear:
    break;
  }
  return fail("entry {} of the plan is local", index);
}

Expected<std::unique_ptr<ClientOp>> makeClientOp(const Plan &plan, std::size_t index, ClientBundle &bundle,
                                                 std::span<const Ring> input, ThreadPool *pool) {
  const PlanEntry &entry = plan.entries[index];
  switch (entry.kind) {
  case EntryKind::Input: {
    SD_ASSIGN(InputMaterial material, bundle.take<InputMaterial>(index));
    return ClientInput::make(entry, std::move(material), input);
  }
  case EntryKind::Output: {
    SD_ASSIGN(OutputMaterial material, bundle.take<OutputMaterial>(index));
    return ClientOutput::make(entry, std::move(material));
  }
  case EntryKind::Truncate: {
    SD_ASSIGN(TruncateClient material, bundle.take<TruncateClient>(index));
    return ClientTruncate::make(entry, std::move(material), pool);
  }
  case EntryKind::Compare:
  case EntryKind::Maximum: {
    SD_ASSIGN(CompareClient material, bundle.take<CompareClient>(index));
    return ClientCompare::make(entry, std::move(material), pool);
  }
  case EntryKind::Product: {
    SD_ASSIGN(ProductClient material, bundle.take<ProductClient>(index));
    return ClientProduct::make(entry, std::move(material));
  }
  case EntryKind::Linear:
    break;
  }
  return fail("entry {} of the plan is local", index);
}

} // namespace sd
