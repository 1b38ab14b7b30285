#include "runtime/service/Roster.h"

#include <algorithm>
#include <set>

#include "runtime/vm/Fetch.h"

namespace sd::service {
namespace {

bool mayUse(const HospitalSettings &hospital, const std::string &model) {
  return std::any_of(hospital.models.begin(), hospital.models.end(),
                     [&](const std::string &one) { return one == "any" || one == model; });
}

bool isHis(const HospitalSettings &hospital, const std::optional<PeerCertificate> &certificate) {
  return std::any_of(hospital.certificates.begin(), hospital.certificates.end(), [&](const std::string &wanted) {
    return certificate ? wanted == "any" || certificate->is(wanted) : wanted == "none";
  });
}

Expected<void> checkHospitals(const Settings &settings) {
  std::set<std::string> models, names;
  for (const ModelSettings &model : settings.models)
    if (!models.insert(model.name).second) return fail("two models have the name '{}'", model.name);
  for (const HospitalSettings &hospital : settings.hospitals) {
    if (!names.insert(hospital.name).second) return fail("two hospitals have the name '{}'", hospital.name);
    for (const std::string &model : hospital.models)
      if (model != "any" && !models.contains(model))
        return fail("hospital '{}': there is no model '{}'", hospital.name, model);
  }
  return {};
}

} // namespace

Expected<std::shared_ptr<const Roster>> Roster::load(const Settings &settings, const Roster *previous,
                                                     const std::function<void(std::string_view)> &warn) {
  SD_TRY(checkHospitals(settings));
  auto roster = std::make_shared<Roster>();
  roster->settings_ = settings;
  std::uint64_t shared = 0;
  for (const ModelSettings &model : settings.models) {
    const Model *before = nullptr;
    for (std::size_t i = 0; previous != nullptr && i < previous->models_.size(); ++i)
      if (previous->models_[i]->settings().name == model.name) before = previous->models_[i].get();
    SD_ASSIGN(std::shared_ptr<const Model> loaded, Model::load(model, settings.threads, before, warn));
    for (const auto &other : roster->models_)
      if (other->program().digest == loaded->program().digest)
        return fail("models '{}' and '{}' are the same program: hospitals could not say which one they mean",
                    other->settings().name, model.name);
    if (roster->models_.empty()) shared = loaded->processBytes();
    shared += loaded->sharedBytes();
    if (shared + loaded->sessionBytes(CorrelationSource::TwoParty) > settings.memory)
      return fail(ErrorKind::Resources, "memory: model '{}' needs {} MB with those before it, and {} MB may be taken",
                  model.name, (shared + loaded->sessionBytes(CorrelationSource::TwoParty)) / 1'000'000,
                  settings.memory / 1'000'000);
    roster->models_.push_back(std::move(loaded));
  }
  roster->sessionBudget_ = settings.memory - shared;
  return roster;
}

const HospitalSettings *Roster::hospital(const std::optional<PeerCertificate> &certificate) const {
  for (const HospitalSettings &one : settings_.hospitals)
    if (isHis(one, certificate)) return &one;
  return nullptr;
}

std::shared_ptr<const Model> Roster::model(const HospitalSettings &hospital, const Digest &program) const {
  for (const auto &one : models_)
    if (one->program().digest == program && mayUse(hospital, one->settings().name)) return one;
  return nullptr;
}

std::shared_ptr<const Model> Roster::modelNamed(const HospitalSettings &hospital, const Digest &name) const {
  for (const auto &one : models_)
    if (digestOfName(one->settings().name) == name && mayUse(hospital, one->settings().name)) return one;
  return nullptr;
}

} // namespace sd::service
