// Who may ask for what: a settings file with its models loaded. It does not change; a reload makes another, and
// sessions keep the one that they began with.
#pragma once

#include "runtime/net/PeerCertificate.h"
#include "runtime/service/Model.h"

namespace sd::service {

class Roster {
public:
  // Models whose files hold the same as in `previous` (or null) are shared with it. Errors also: two models of one name
  // or program, hospitals that may use models that there are not, or not enough memory for the models.
  static Expected<std::shared_ptr<const Roster>> load(const Settings &settings, const Roster *previous,
                                                      const std::function<void(std::string_view)> &warn);

  const Settings &settings() const { return settings_; }
  const std::vector<std::shared_ptr<const Model>> &models() const { return models_; }
  std::uint64_t sessionBudget() const { return sessionBudget_; } // bytes for all sessions

  // The first whose certificate it is; null if there is none. Without a certificate: one whose certificate is "none".
  const HospitalSettings *hospital(const std::optional<PeerCertificate> &certificate) const;

  // The model that this hospital may use; null if there is none. By the digest of its program, or of its name.
  std::shared_ptr<const Model> model(const HospitalSettings &hospital, const Digest &program) const;
  std::shared_ptr<const Model> modelNamed(const HospitalSettings &hospital, const Digest &name) const;

private:
  Settings settings_;
  std::vector<std::shared_ptr<const Model>> models_;
  std::uint64_t sessionBudget_ = 0;
};

} // namespace sd::service
