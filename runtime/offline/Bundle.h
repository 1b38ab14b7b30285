// The materials of one inference. Each is taken once: a correlation that is used twice gives the secrets away.
#pragma once

#include <vector>

#include "runtime/offline/Material.h"

namespace sd {

template <class Material>
class Bundle {
public:
  explicit Bundle(const Plan &plan) : entries_(plan.entries), slots_(plan.entries.size()) {}

  // Stores the material of entry `index`; error if it does not fit the entry, or the entry already had one.
  Expected<void> put(std::size_t index, Material material) {
    if (index >= slots_.size()) return fail("the plan has no entry {}", index);
    if (slots_[index].state != State::Missing) return fail("the correlation of entry {} has been made already", index);
    if (!fits(material, entries_[index]))
      return fail("the correlation of entry {} has another shape than its op", index);
    slots_[index] = {State::Ready, std::move(material)};
    return {};
  }

  // Gives the material of entry `index` away for its one use.
  template <class T>
  Expected<T> take(std::size_t index) {
    if (index >= slots_.size()) return fail("the plan has no entry {}", index);
    Slot &slot = slots_[index];
    if (slot.state == State::Missing) return fail("the correlation of entry {} has not been made", index);
    if (slot.state == State::Spent) return fail("the correlation of entry {} has been used already", index);
    if (!std::holds_alternative<T>(slot.material)) return fail("the correlation of entry {} is of another kind", index);
    slot.state = State::Spent;
    return std::get<T>(std::exchange(slot.material, Material{}));
  }

  bool has(std::size_t index) const { return index < slots_.size() && slots_[index].state == State::Ready; }

private:
  enum class State { Missing, Ready, Spent };
  struct Slot {
    State state = State::Missing;
    Material material;
  };
  std::vector<PlanEntry> entries_;
  std::vector<Slot> slots_;
};

template <RingWord R>
using ServiceBundle = Bundle<ServiceMaterial<R>>;
template <RingWord R>
using ClientBundle = Bundle<ClientMaterial<R>>;

} // namespace sd
