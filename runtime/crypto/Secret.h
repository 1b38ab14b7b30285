// Secret data: no implicit conversion to plain containers, no printing, wiped when freed.
#pragma once

#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace sd {

template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U> &) {}
  T *allocate(std::size_t n) { return static_cast<T *>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T *p, std::size_t n) {
    OPENSSL_cleanse(p, n * sizeof(T));
    ::operator delete (p, std::align_val_t{64});
  }
  // Elements that will be overwritten need not be zeroed first.
  template <class U>
  void construct(U *p) {
    ::new (static_cast<void *>(p)) U;
  }
  template <class U, class... Args>
  void construct(U *p, Args &&...args) {
    ::new (static_cast<void *>(p)) U(std::forward<Args>(args)...);
  }
  bool operator==(const WipingAllocator &) const { return true; }
};

// A 64-byte-aligned array of secret T (shares, masks, keys, pads). Move-only; contents after SecretVector(n) are
// undefined.
template <class T>
class SecretVector {
public:
  SecretVector() = default;
  explicit SecretVector(std::size_t n) : data_(n) {}
  SecretVector(std::size_t n, T fill) : data_(n, fill) {}
  SecretVector(SecretVector &&) noexcept = default;
  SecretVector &operator=(SecretVector &&) noexcept = default;
  SecretVector(const SecretVector &) = delete;
  SecretVector &operator=(const SecretVector &) = delete;

  SecretVector clone() const {
    SecretVector copy;
    copy.data_ = data_;
    return copy;
  }

  std::size_t size() const { return data_.size(); }
  bool empty() const { return data_.empty(); }
  void resize(std::size_t n) { data_.resize(n); }
  std::span<T> span() { return data_; }
  std::span<const T> span() const { return data_; }
  T *data() { return data_.data(); }
  const T *data() const { return data_.data(); }
  T &operator[](std::size_t i) { return data_[i]; }
  const T &operator[](std::size_t i) const { return data_[i]; }

private:
  std::vector<T, WipingAllocator<T>> data_;
};

} // namespace sd
