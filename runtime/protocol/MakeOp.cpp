#include "runtime/protocol/MakeOp.h"

#include <cassert>

#include "runtime/protocol/Compare.h"
#include "runtime/protocol/Dot.h"
#include "runtime/protocol/InputOutput.h"
#include "runtime/protocol/Product.h"

namespace sd {

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> makeServiceOp(const Plan &plan, std::size_t index, ServiceBundle<R> &bundle,
                                                      std::span<const MaskedTensor<R> *const> operands,
                                                      ThreadPool *pool, std::span<const R> turned) {
  const PlanEntry &entry = plan.entries[index];
  assert(static_cast<int>(operands.size()) == entry.operands());
  switch (entry.kind) {
  case EntryKind::Input:
    return std::make_unique<ServiceInput<R>>(entry);
  case EntryKind::Output:
    return ServiceOutput<R>::make(entry, *operands[0]);
  case EntryKind::Truncate: {
    SD_ASSIGN(CompareService<R> material, bundle.template take<CompareService<R>>(index));
    return ServiceCompare<R>::makeTruncate(entry, std::move(material), *operands[0], pool);
  }
  case EntryKind::Compare: {
    SD_ASSIGN(CompareService<R> material, bundle.template take<CompareService<R>>(index));
    return ServiceCompare<R>::makeRelu(entry, std::move(material), *operands[0], pool, turned);
  }
  case EntryKind::Maximum: {
    SD_ASSIGN(CompareService<R> material, bundle.template take<CompareService<R>>(index));
    return ServiceCompare<R>::makeMaximum(entry, std::move(material), *operands[0], *operands[1], pool);
  }
  case EntryKind::Product: {
    SD_ASSIGN(ProductService<R> material, bundle.template take<ProductService<R>>(index));
    return ServiceProduct<R>::make(entry, std::move(material), *operands[0], *operands[1]);
  }
  case EntryKind::Dot: {
    SD_ASSIGN(ProductService<R> material, bundle.template take<ProductService<R>>(index));
    return ServiceDot<R>::make(entry, std::move(material), *operands[0], *operands[1], pool);
  }
  case EntryKind::Linear:
    break;
  }
  return fail("entry {} of the plan is local", index);
}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> makeClientOp(const Plan &plan, std::size_t index, ClientBundle<R> &bundle,
                                                    std::span<const R> input, ThreadPool *pool) {
  const PlanEntry &entry = plan.entries[index];
  switch (entry.kind) {
  case EntryKind::Input: {
    SD_ASSIGN(InputMaterial<R> material, bundle.template take<InputMaterial<R>>(index));
    return ClientInput<R>::make(entry, std::move(material), input);
  }
  case EntryKind::Output: {
    SD_ASSIGN(OutputMaterial<R> material, bundle.template take<OutputMaterial<R>>(index));
    return ClientOutput<R>::make(entry, std::move(material));
  }
  case EntryKind::Truncate:
  case EntryKind::Compare:
  case EntryKind::Maximum: {
    SD_ASSIGN(CompareClient<R> material, bundle.template take<CompareClient<R>>(index));
    return ClientCompare<R>::make(entry, std::move(material), pool);
  }
  case EntryKind::Product: {
    SD_ASSIGN(ProductClient<R> material, bundle.template take<ProductClient<R>>(index));
    return ClientProduct<R>::make(entry, std::move(material));
  }
  case EntryKind::Dot: {
    SD_ASSIGN(ProductClient<R> material, bundle.template take<ProductClient<R>>(index));
    return ClientDot<R>::make(entry, std::move(material), pool);
  }
  case EntryKind::Linear:
    break;
  }
  return fail("entry {} of the plan is local", index);
}

#define SD_MAKE_OP(R)                                                                                                  \
  template Expected<std::unique_ptr<ServiceOp<R>>> makeServiceOp(const Plan &, std::size_t, ServiceBundle<R> &,        \
                                                                 std::span<const MaskedTensor<R> *const>,              \
                                                                 ThreadPool *, std::span<const R>);                    \
  template Expected<std::unique_ptr<ClientOp<R>>> makeClientOp(const Plan &, std::size_t, ClientBundle<R> &,           \
                                                               std::span<const R>, ThreadPool *);
SD_MAKE_OP(Ring32)
SD_MAKE_OP(Ring64)
#undef SD_MAKE_OP

} // namespace sd
