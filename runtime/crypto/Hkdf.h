// HKDF with SHA-256 (RFC 5869): derives keys that are independent for different `info`.
#pragma once

#include <cstdint>
#include <span>

namespace sd {

// Fills `out` (at most 255 * 32 bytes) from the secret `key`; an empty `salt` stands for 32 zero bytes.
void hkdfSha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> salt,
                std::span<const std::uint8_t> info, std::span<std::uint8_t> out);

} // namespace sd
