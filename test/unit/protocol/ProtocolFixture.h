// Both parties of one op in one thread, their correlations dealt from fixed seeds, every message kept.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime/offline/Deal.h"
#include "runtime/protocol/MakeOp.h"
#include "runtime/protocol/RoundGroup.h"

namespace sd::test {

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

// A walk over entries whose operands' masks are given.
class GivenMasks final : public MaskWalk {
public:
  explicit GivenMasks(std::vector<std::vector<Ring>> operands) : operands_(std::move(operands)) {}
  Expected<void> announce(std::size_t, std::span<const Ring>) override { return {}; }
  bool ready(std::size_t) const override { return true; }
  Expected<SecretVector<Ring>> operand(std::size_t, int which) override {
    const auto &mask = operands_.at(static_cast<std::size_t>(which));
    SecretVector<Ring> r(mask.size());
    std::copy(mask.begin(), mask.end(), r.data());
    return r;
  }

private:
  std::vector<std::vector<Ring>> operands_;
};

struct Dealt {
  ServiceMaterial service;
  ClientMaterial client;
  std::vector<Ring> mask; // of the result
};

// Deals entry 0 of a plan of one.
inline Dealt deal(const PlanEntry &entry, const std::vector<std::vector<Ring>> &masks, std::uint64_t seed) {
  Plan plan{{entry}};
  GivenMasks walk(masks);
  Prg service(seedOf(seed).derive("service")), client(seedOf(seed).derive("client"));
  Dealt dealt{dealtServiceParts(entry, service), dealtClientParts(entry, client), {}};
  SecretVector<Ring> mask(entry.elements);
  client.fill(mask.span());
  dealt.mask.assign(mask.data(), mask.data() + mask.size());
  EXPECT_TRUE(setMasks(plan, 0, walk, std::move(mask), dealt.client));
  completeClient(entry, dealt.service, dealt.client);
  EXPECT_TRUE(entry.kind == EntryKind::Linear || fits(dealt.client, entry));
  EXPECT_TRUE(fits(dealt.service, entry));
  return dealt;
}

inline MaskedTensor masked(const std::vector<Ring> &values, const std::vector<Ring> &r) {
  MaskedTensor x(values.size());
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
struct Trial {
  std::vector<Ring> result;
  Messages messages;
};
inline Trial runEntry(const PlanEntry &entry, const std::vector<std::vector<Ring>> &values, std::uint64_t seed,
                      ThreadPool *pool = nullptr, std::span<const Ring> turned = {}) {
  Prg prg(seedOf(seed).derive("operands"));
  std::vector<std::vector<Ring>> masks;
  std::vector<MaskedTensor> operands;
  std::vector<const MaskedTensor *> pointers;
  for (const auto &value : values) {
    masks.emplace_back(value.size());
    prg.fill(std::span<Ring>(masks.back()));
    operands.push_back(masked(value, masks.back()));
  }
  for (const auto &operand : operands)
    pointers.push_back(&operand);
  Dealt dealt = deal(entry, masks, seed);
  const Plan plan{{entry}};
  ServiceBundle serviceBundle(plan);
  ClientBundle clientBundle(plan);
  EXPECT_TRUE(serviceBundle.put(0, std::move(dealt.service)));
  EXPECT_TRUE(clientBundle.put(0, std::move(dealt.client)));
  auto service = makeServiceOp(plan, 0, serviceBundle, pointers, pool, turned);
  auto client = makeClientOp(plan, 0, clientBundle, {}, pool);
  EXPECT_TRUE(service && client);
  Trial run;
  run.messages = passMessages(**service, **client);
  const MaskedTensor result = (*service)->takeResult();
  EXPECT_EQ(result.size(), entry.elements);
  for (std::size_t i = 0; i < result.size(); ++i)
    run.result.push_back(result.span()[i] + dealt.mask[i]);
  return run;
}

// Values up to |y| <= 2^bound - 2^t: the edges first, then random ones of all magnitudes.
inline std::vector<Ring> boundaryValues(std::size_t n, int t, int bound, std::uint32_t seed) {
  const std::int64_t edge = (std::int64_t{1} << bound) - (std::int64_t{1} << t), unit = std::int64_t{1} << t;
  std::mt19937 generator(seed);
  std::uniform_int_distribution<std::int64_t> value(-edge, edge);
  std::vector<Ring> values;
  for (const std::int64_t y : {std::int64_t{0}, edge, -edge, std::int64_t{1}, std::int64_t{-1}, unit, -unit, unit - 1,
                               1 - unit, unit + 1, -unit - 1, edge - 1, 1 - edge})
    if (y >= -edge && y <= edge && values.size() < n) values.push_back(static_cast<Ring>(y));
  while (values.size() < n)
    values.push_back(static_cast<Ring>(value(generator) >> generator() % bound));
  return values;
}

} // namespace sd::test
