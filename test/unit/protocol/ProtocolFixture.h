// Both parties of one op in one thread, their correlations dealt from fixed seeds, every message kept.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "runtime/offline/Deal.h"
#include "runtime/protocol/MakeOp.h"
#include "runtime/protocol/RoundGroup.h"

namespace sd::test {

using Rings = testing::Types<Ring32, Ring64>;

inline Seed seedOf(std::uint64_t number) {
  std::array<std::uint8_t, Seed::kBytes> bytes{};
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return Seed(bytes);
}

inline PlanEntry entryOf(EntryKind kind, std::size_t n, CompareShape shape = {}) {
  PlanEntry entry;
  entry.kind = kind;
  entry.elements = n;
  entry.compare = shape;
  return entry;
}

template <RingWord R>
Plan planOf(std::vector<PlanEntry> entries) {
  return {std::move(entries), kBitsOf<R>};
}

// A walk over entries whose operands' masks are given.
template <RingWord R>
class GivenMasks final : public MaskWalk<R> {
public:
  explicit GivenMasks(std::vector<std::vector<R>> operands) : operands_(std::move(operands)) {}
  Expected<void> announce(std::size_t, std::span<const R>) override { return {}; }
  bool ready(std::size_t) const override { return true; }
  Expected<SecretVector<R>> operand(std::size_t, int which) override {
    const auto &mask = operands_.at(static_cast<std::size_t>(which));
    SecretVector<R> r(mask.size());
    std::copy(mask.begin(), mask.end(), r.data());
    return r;
  }

private:
  std::vector<std::vector<R>> operands_;
};

template <RingWord R>
struct Dealt {
  ServiceMaterial<R> service;
  ClientMaterial<R> client;
  std::vector<R> mask; // of the result
};

// Deals entry 0 of a plan of one.
template <RingWord R>
Dealt<R> deal(const PlanEntry &entry, const std::vector<std::vector<R>> &masks, std::uint64_t seed) {
  const Plan plan = planOf<R>({entry});
  GivenMasks<R> walk(masks);
  Prg service(seedOf(seed).derive("service")), client(seedOf(seed).derive("client"));
  Dealt<R> dealt{dealtServiceParts<R>(entry, service), dealtClientParts<R>(entry, client), {}};
  SecretVector<R> mask(entry.elements);
  client.fill(mask.span());
  dealt.mask.assign(mask.data(), mask.data() + mask.size());
  EXPECT_TRUE(setMasks<R>(plan, 0, walk, std::move(mask), dealt.client));
  completeClient(entry, dealt.service, dealt.client);
  EXPECT_TRUE(entry.kind == EntryKind::Linear || fits(dealt.client, entry));
  EXPECT_TRUE(fits(dealt.service, entry));
  return dealt;
}

template <RingWord R>
MaskedTensor<R> masked(const std::vector<R> &values, const std::vector<R> &r) {
  MaskedTensor<R> x(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    x.span()[i] = values[i] - r[i];
  return x;
}

using Messages = std::vector<std::vector<std::uint8_t>>;

// Passes the messages of both sides' ops until the last; checks the declared lengths.
inline Messages passMessages(InteractiveOp &service, InteractiveOp &client) {
  Messages messages;
  EXPECT_EQ(service.messages(), client.messages());
  for (int k = 0; k < service.messages(); ++k) {
    InteractiveOp &speaker = speakerOf(k) == Party::Service ? service : client;
    InteractiveOp &listener = speakerOf(k) == Party::Service ? client : service;
    std::vector<std::uint8_t> message(speaker.messageBytes(k), 0xA5);
    if (!message.empty()) {
      speaker.write(k, message);
      EXPECT_TRUE(listener.read(k, message));
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

// Runs one entry on masked operands and returns the result in the clear.
template <RingWord R>
struct Trial {
  std::vector<R> result;
  Messages messages;
};
template <RingWord R>
Trial<R> runEntry(const PlanEntry &entry, const std::vector<std::vector<R>> &values, std::uint64_t seed,
                  ThreadPool *pool = nullptr, std::span<const std::type_identity_t<R>> turned = {},
                  std::uint64_t maskSeed = 0) {
  Prg prg(seedOf(maskSeed).derive("operands"));
  std::vector<std::vector<R>> masks;
  std::vector<MaskedTensor<R>> operands;
  std::vector<const MaskedTensor<R> *> pointers;
  for (const auto &value : values) {
    masks.emplace_back(value.size());
    prg.fill(std::span<R>(masks.back()));
    operands.push_back(masked(value, masks.back()));
  }
  for (const auto &operand : operands)
    pointers.push_back(&operand);
  Dealt<R> dealt = deal<R>(entry, masks, seed);
  const Plan plan = planOf<R>({entry});
  ServiceBundle<R> serviceBundle(plan);
  ClientBundle<R> clientBundle(plan);
  EXPECT_TRUE(serviceBundle.put(0, std::move(dealt.service)));
  EXPECT_TRUE(clientBundle.put(0, std::move(dealt.client)));
  auto service = makeServiceOp<R>(plan, 0, serviceBundle, pointers, pool, turned);
  auto client = makeClientOp<R>(plan, 0, clientBundle, {}, pool);
  EXPECT_TRUE(service && client);
  Trial<R> run;
  run.messages = passMessages(**service, **client);
  const MaskedTensor<R> result = (*service)->takeResult();
  EXPECT_EQ(result.size(), entry.elements);
  for (std::size_t i = 0; i < result.size(); ++i)
    run.result.push_back(result.span()[i] + dealt.mask[i]);
  return run;
}

// Values up to |y| <= 2^bound - 2^t: the edges and what rounds one way and the other first, then random ones of all
// magnitudes.
template <RingWord R>
std::vector<R> boundaryValues(std::size_t n, int t, int bound, std::uint32_t seed) {
  const std::int64_t edge = (std::int64_t{1} << bound) - (std::int64_t{1} << t), unit = std::int64_t{1} << t;
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<std::int64_t> value(-edge, edge);
  std::vector<R> values;
  for (const std::int64_t centre : {std::int64_t{0}, unit / 2, -unit / 2, unit, -unit, edge, -edge, edge - unit / 2,
                                    unit / 2 - edge, unit + unit / 2, -unit - unit / 2})
    for (const std::int64_t y : {centre, centre + 1, centre - 1})
      if (y >= -edge && y <= edge && values.size() < n) values.push_back(static_cast<R>(y));
  while (values.size() < n)
    values.push_back(static_cast<R>(value(generator) >> generator() % static_cast<unsigned>(bound)));
  return values;
}

// What the op of that kind makes of `value`, in plain code.
template <RingWord R>
R expectedOf(EntryKind kind, R value, int t) {
  const auto centred = static_cast<SignedOf<R>>(value);
  const SignedOf<R> rounded = t == 0 ? centred : (centred + (SignedOf<R>{1} << (t - 1))) >> t;
  return static_cast<R>(kind == EntryKind::Truncate ? rounded : std::max(rounded, SignedOf<R>{0}));
}

} // namespace sd::test
