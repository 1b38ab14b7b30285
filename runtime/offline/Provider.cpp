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

Expected<ServiceBundle> prepareService(ServiceProvider &provider, const OfflineJob &job,
                                       const WeightSet<Ring32> &weights) {
  ServiceBundle bundle(job.plan);
  SD_TRY(provider.prepare(job, weights,
                          [&](std::size_t i, ServiceMaterial material) { return bundle.put(i, std::move(material)); }));
  SD_TRY(checkComplete(bundle, job.plan,
                       [](EntryKind kind) { return kind != EntryKind::Input && kind != EntryKind::Output; }));
  return bundle;
}

Expected<ClientBundle> prepareClient(ClientProvider &provider, const OfflineJob &job, MaskWalk &walk) {
  ClientBundle bundle(job.plan);
  SD_TRY(provider.prepare(job, walk,
                          [&](std::size_t i, ClientMaterial material) { return bundle.put(i, std::move(material)); }));
  SD_TRY(checkComplete(bundle, job.plan, [](EntryKind kind) { return kind != EntryKind::Linear; }));
  return bundle;
}

} // namespace sd
