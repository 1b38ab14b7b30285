#include "runtime/offline/Provider.h"

namespace sd {
namespace {

template <class Material>
Expected<void> checkComplete(const Bundle<Material> &bundle, const Plan &plan, bool (*needed)(EntryKind)) {
  for (std::size_t i = 0; i < plan.entries.size(); ++i)
    if (needed(plan.entries[i].kind) && !bundle.has(i)) return fail("the offline phase left entry {} out", i);
  return {};
}

} // namespace

template <RingWord R>
Expected<ServiceBundle<R>> prepareService(ServiceProvider<R> &provider, const OfflineJob &job,
                                          const WeightSet<R> &weights) {
  ServiceBundle<R> bundle(job.plan);
  SD_TRY(provider.prepare(
      job, weights, [&](std::size_t i, ServiceMaterial<R> material) { return bundle.put(i, std::move(material)); }));
  SD_TRY(checkComplete(bundle, job.plan,
                       [](EntryKind kind) { return kind != EntryKind::Input && kind != EntryKind::Output; }));
  return bundle;
}

template <RingWord R>
Expected<ClientBundle<R>> prepareClient(ClientProvider<R> &provider, const OfflineJob &job, MaskWalk<R> &walk) {
  ClientBundle<R> bundle(job.plan);
  SD_TRY(provider.prepare(
      job, walk, [&](std::size_t i, ClientMaterial<R> material) { return bundle.put(i, std::move(material)); }));
  SD_TRY(checkComplete(bundle, job.plan, [](EntryKind kind) { return kind != EntryKind::Linear; }));
  return bundle;
}

template Expected<ServiceBundle<Ring32>> prepareService(ServiceProvider<Ring32> &, const OfflineJob &,
                                                        const WeightSet<Ring32> &);
template Expected<ServiceBundle<Ring64>> prepareService(ServiceProvider<Ring64> &, const OfflineJob &,
                                                        const WeightSet<Ring64> &);
template Expected<ClientBundle<Ring32>> prepareClient(ClientProvider<Ring32> &, const OfflineJob &, MaskWalk<Ring32> &);
template Expected<ClientBundle<Ring64>> prepareClient(ClientProvider<Ring64> &, const OfflineJob &, MaskWalk<Ring64> &);

} // namespace sd
