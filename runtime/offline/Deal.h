// What the trusted dealer deals for one entry: both parties' uniform parts from their own seeds, and corrections that
// make the client's the right ones. P0's material is uniform throughout.
#pragma once

#include "runtime/offline/Provider.h"

namespace sd {

// P0's material of an entry, uniform. Linear: s, the part of u that P0 draws; P1's message completes it.
template <RingWord R>
ServiceMaterial<R> dealtServiceParts(const PlanEntry &entry, Prg &prg);

// P1's uniform parts; masks and functions of r are empty.
template <RingWord R>
ClientMaterial<R> dealtClientParts(const PlanEntry &entry, Prg &prg);

// The dealer and P1 alike: one mask for the result of each entry but Output, in order, announced to the walk.
// With a dealer the results of linear entries have free masks too.
template <RingWord R>
Expected<std::vector<SecretVector<R>>> dealtMasks(const Plan &plan, const Seed &clientSeed, MaskWalk<R> &walk);

// Puts r (and the addend of a maximum) from the walk, and the result's mask, into P1's material.
template <RingWord R>
Expected<void> setMasks(const Plan &plan, std::size_t entry, MaskWalk<R> &walk, SecretVector<R> mask,
                        ClientMaterial<R> &material);

// Computes the fields of P1's material that are functions of r and of P0's.
template <RingWord R>
void completeClient(const PlanEntry &entry, const ServiceMaterial<R> &service, ClientMaterial<R> &client,
                    ThreadPool *pool = nullptr);

// Those fields as a message of correctionBytes, and back.
std::size_t correctionBytes(const PlanEntry &entry, int ringBits);
template <RingWord R>
void writeCorrections(const PlanEntry &entry, const ClientMaterial<R> &client, std::span<std::uint8_t> out);
template <RingWord R>
Expected<void> readCorrections(const PlanEntry &entry, std::span<const std::uint8_t> in, ClientMaterial<R> &client);

} // namespace sd
