// How a hospital gets a model's public program from the service, by the model's name:
//
//   P1 -> P0   greeting of Purpose::Fetch, whose program is digestOfName()
//   P0 -> P1   the .sdb file
//
// Over TLS it comes from whom the service's certificate names. The hospital keeps it: later sessions name its digest.
#pragma once

#include "runtime/crypto/Random.h"
#include "runtime/vm/Hello.h"

namespace sd {

Digest digestOfName(std::string_view model);

// P1: the file's bytes, which may be anything: readProgram() looks. Errors also: there is no such model for this side.
Expected<std::vector<std::uint8_t>> fetchProgram(Connection &peer, std::string_view model, Prg &nonce);

// P0: once it has heard that greeting.
Expected<void> giveProgram(Connection &peer, Bytes program);

} // namespace sd
