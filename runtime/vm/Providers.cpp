#include "runtime/vm/Providers.h"

#include "runtime/offline/DealerProvider.h"
#include "runtime/offline/TwoParty.h"
#include "runtime/vm/MaskWalk.h"

namespace sd {

namespace {

// With what it needs of the program.
template <RingWord R>
class OwningDealerClient final : public ClientProvider<R> {
public:
  OwningDealerClient(const DealerProviderOptions &options, const Program &program, Plan plan, ThreadPool &pool)
      : plan_(std::move(plan)), maps_(program, plan_, pool), client_(options, maps_) {}

  Expected<void> prepare(const OfflineJob &job, MaskWalk<R> &walk, const Sink<ClientMaterial<R>> &sink) override {
    return client_.prepare(job, walk, sink);
  }

private:
  Plan plan_;
  ProgramLinearMaps<R> maps_;
  DealerClient<R> client_;
};

} // namespace

template <RingWord R>
ProviderFactory<ServiceProvider<R>> twoPartyService(std::uint64_t transformBytes) {
  auto transforms = std::make_shared<WeightTransforms>(transformBytes);
  return [transforms](const ProviderContext &context) -> Expected<std::unique_ptr<ServiceProvider<R>>> {
    return std::make_unique<TwoPartyService<R>>(TwoPartyOptions{context.peer, context.seed, transforms});
  };
}

template <RingWord R>
ProviderFactory<ClientProvider<R>> twoPartyClient() {
  return [](const ProviderContext &context) -> Expected<std::unique_ptr<ClientProvider<R>>> {
    return std::make_unique<TwoPartyClient<R>>(TwoPartyOptions{context.peer, context.seed});
  };
}

template <RingWord R>
ProviderFactory<ServiceProvider<R>> dealerService() {
  return [](const ProviderContext &context) -> Expected<std::unique_ptr<ServiceProvider<R>>> {
    return std::make_unique<DealerService<R>>(
        DealerProviderOptions{*context.dealer, context.peer, context.session, context.seed});
  };
}

template <RingWord R>
ProviderFactory<ClientProvider<R>> dealerClient(const Program &program, ThreadPool &pool) {
  return [&](const ProviderContext &context) -> Expected<std::unique_ptr<ClientProvider<R>>> {
    SD_ASSIGN(Plan plan, makePlan(program));
    return std::make_unique<OwningDealerClient<R>>(
        DealerProviderOptions{*context.dealer, context.peer, context.session, context.seed}, program, std::move(plan),
        pool);
  };
}

namespace {

template <RingWord R>
DealerOps<R> dealerOps() {
  return {[](const Program &program, const Plan &plan, ThreadPool &pool) {
            return std::make_unique<ProgramMaskWalk<R>>(program, plan, pool);
          },
          [](const Program &program, const Plan &plan, ThreadPool &pool) {
            return std::make_unique<ProgramLinearMaps<R>>(program, plan, pool);
          }};
}

} // namespace

DealerOptions dealerOptions(std::chrono::milliseconds waitForPartner) {
  return {.ops = {dealerOps<Ring32>(), dealerOps<Ring64>()}, .waitForPartner = waitForPartner};
}

#define SD_PROVIDERS(R)                                                                                                \
  template ProviderFactory<ServiceProvider<R>> twoPartyService(std::uint64_t);                                         \
  template ProviderFactory<ClientProvider<R>> twoPartyClient();                                                        \
  template ProviderFactory<ServiceProvider<R>> dealerService();                                                        \
  template ProviderFactory<ClientProvider<R>> dealerClient(const Program &, ThreadPool &);
SD_PROVIDERS(Ring32)
SD_PROVIDERS(Ring64)
#undef SD_PROVIDERS

} // namespace sd
