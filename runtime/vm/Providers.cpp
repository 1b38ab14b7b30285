#include "runtime/vm/Providers.h"

#include "runtime/offline/DealerProvider.h"
#include "runtime/offline/TwoParty.h"
#include "runtime/vm/MaskWalk.h"

namespace sd {

namespace {

// With what it needs of the program.
class OwningDealerClient final : public ClientProvider {
public:
  OwningDealerClient(const DealerProviderOptions &options, const Program &program, Plan plan, ThreadPool &pool)
      : plan_(std::move(plan)), maps_(program, plan_, pool), client_(options, maps_) {}

  Expected<void> prepare(const OfflineJob &job, MaskWalk &walk, const Sink<ClientMaterial> &sink) override {
    return client_.prepare(job, walk, sink);
  }

private:
  Plan plan_;
  ProgramLinearMaps maps_;
  DealerClient client_;
};

} // namespace

ProviderFactory<ServiceProvider> twoPartyService(std::uint64_t transformBytes) {
  auto transforms = std::make_shared<WeightTransforms>(transformBytes);
  return [transforms](const ProviderContext &context) -> Expected<std::unique_ptr<ServiceProvider>> {
    return std::make_unique<TwoPartyService>(TwoPartyOptions{context.peer, context.seed, transforms});
  };
}

ProviderFactory<ClientProvider> twoPartyClient() {
  return [](const ProviderContext &context) -> Expected<std::unique_ptr<ClientProvider>> {
    return std::make_unique<TwoPartyClient>(TwoPartyOptions{context.peer, context.seed});
  };
}

ProviderFactory<ServiceProvider> dealerService(Connection &dealer) {
  return [&dealer](const ProviderContext &context) -> Expected<std::unique_ptr<ServiceProvider>> {
    return std::make_unique<DealerService>(DealerProviderOptions{dealer, context.peer, context.session, context.seed});
  };
}

ProviderFactory<ClientProvider> dealerClient(Connection &dealer, const Program &program, ThreadPool &pool) {
  return [&](const ProviderContext &context) -> Expected<std::unique_ptr<ClientProvider>> {
    SD_ASSIGN(Plan plan, makePlan(program));
    return std::make_unique<OwningDealerClient>(
        DealerProviderOptions{dealer, context.peer, context.session, context.seed}, program, std::move(plan), pool);
  };
}

DealerOptions dealerOptions(std::chrono::milliseconds waitForPartner) {
  DealerOptions options;
  options.makeWalk = [](const Program &program, const Plan &plan, ThreadPool &pool) {
    return std::make_unique<ProgramMaskWalk>(program, plan, pool);
  };
  options.makeMaps = [](const Program &program, const Plan &plan, ThreadPool &pool) {
    return std::make_unique<ProgramLinearMaps>(program, plan, pool);
  };
  options.waitForPartner = waitForPartner;
  return options;
}

} // namespace sd
