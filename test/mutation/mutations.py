"""Changes that break the protocol's security, each with what it breaks and the tests that must notice.

A mutation replaces `old`, which must occur exactly `count` times in `file`, by `new`. `M` in `new` is the condition under which the
changed code runs: all mutations live in one build and are switched on one at a time, by SD_MUTANT in the environment.
`tests` are pairs of a test program and a GoogleTest filter.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple
    count: int = 1


HE_VIEW = (("he_test", "LinearView*"),)
SESSION_VIEW = (("view_test", "View*"),)
OT = (("ot_test", "CotTest*:Freshness*:PadsTest*:PadHash*:BaseOt.*"),)
PROTOCOL = (("transcript_test", "*"),)
OFFLINE = (("two_party_test", "OfflineView*"),)
DOT = (("protocol_ops_test", "Dot*"),)
DOT_PHASE = (("two_party_test", "DotPhase*"),)
DOT_VIEW = (("he_test", "DotCorrelation*"),)
DEALER = (("dealer_test", "Dealer*"),)
HANDSHAKE = (("VmTest", "Handshake*"),)
MESSAGES = (("net_test", "*TransportTest.*"),)
TLS = (("net_test", "TlsTest*"),)
STORE = (("store_test", "*"), ("stored_session_test", "*"))
SERVICE = (("service_test", "*"),)

CORRELATION = "runtime/he/LinearCorrelation.cpp"
RLWE = "runtime/he/Rlwe.cpp"
EXCHANGE = "runtime/he/RlweExchange.cpp"
DOTS = "runtime/he/DotCorrelation.cpp"

MUTATIONS = [
    # --- the service's replies
    Mutation("mask-zero", "the service's masks u are all zero: P1 opens W r", CORRELATION,
             "  masks.fill(u);\n", "  masks.fill(u);\n  if (M) std::ranges::fill(u, R{0});\n", HE_VIEW),
    Mutation("mask-same-each-layer", "u repeats from layer to layer and inference to inference", CORRELATION,
             'fmt::format("rlwe masks {}", layers_)', 'fmt::format("rlwe masks {}", M ? 0 : layers_)', HE_VIEW),
    Mutation("reply-randomness-same", "one randomness for every reply", CORRELATION,
             'fmt::format("rlwe reply {} {}", layers_, o)', 'fmt::format("rlwe reply {} {}", M ? 0 : layers_, M ? 0 : o)', HE_VIEW),
    Mutation("reply-randomness-per-layer", "output blocks of one layer share their randomness", CORRELATION,
             "const std::vector<ReplySums<R>> sums = multiply(own, o);\n",
             "const std::vector<ReplySums<R>> sums = multiply(own, o);\n  if (M) o = 0;\n", HE_VIEW),
    Mutation("layer-counter-stuck", "the counter of layers does not advance", CORRELATION,
             "  ++layers_;\n", "  if (!M) ++layers_;\n", HE_VIEW),
    Mutation("flood-none", "replies carry no flood", RLWE,
             "      flood += uniform[kFloodTerms * j + k] & kUniformMask;\n",
             "      flood += M ? (kUniformMask + 1) / 2 : uniform[kFloodTerms * j + k] & kUniformMask;\n", HE_VIEW),
    Mutation("flood-narrow", "the flood is an eighth as wide", RLWE,
             "    for (int i = 0; i < kCount; ++i) {\n      const std::uint64_t p = kPrimes[i];\n      std::uint64_t v = part<R, U>(poly0",
             "    if (M) flood = flood / 8 + kFloodTerms * (kUniformMask + 1) / 2 * 7 / 8;\n"
             "    for (int i = 0; i < kCount; ++i) {\n      const std::uint64_t p = kPrimes[i];\n      std::uint64_t v = part<R, U>(poly0", HE_VIEW),
    Mutation("flood-shared", "one flood for all coefficients of a reply", RLWE,
             "  constexpr Wide kUniformMask =", "  if (M) for (std::size_t j = kFloodTerms; j < uniform.size(); ++j) uniform[j] = uniform[j % kFloodTerms];\n"
             "  constexpr Wide kUniformMask =", HE_VIEW),
    Mutation("no-encryption-of-zero", "replies are not re-randomised: c1 gives W away", RLWE,
             "  transformSigned<R, U>(small.span(), blind);\n",
             "  transformSigned<R, U>(small.span(), blind);\n  if (M) std::ranges::fill(blind.span(), 0);\n", HE_VIEW),
    Mutation("flood-limit-off", "weights too large for the flood are answered", "runtime/offline/LinearPhase.cpp",
             "    SD_TRY(checkHiddenInAll<R>(job, weights, entries_));\n",
             "    if (!M) SD_TRY(checkHiddenInAll<R>(job, weights, entries_));\n", (("two_party_test", "*LargeWeights*"),)),
    # --- the hospital's uploads
    Mutation("upload-errors-same", "the same errors for every upload", EXCHANGE,
             'fmt::format("rlwe upload {}", number + i)', 'fmt::format("rlwe upload {}", M ? 0 : number + i)', HE_VIEW),
    Mutation("upload-errors-none", "uploads have no errors: linear algebra finds the key", RLWE,
             "  errors(randomness, e.span());\n  SecretVector<R> dither",
             "  errors(randomness, e.span());\n  if (M) std::ranges::fill(e.span(), 0);\n  SecretVector<R> dither", HE_VIEW),
    Mutation("secret-zero", "the hospital's secret key is zero", RLWE,
             "  transformSigned<R, U>(s.span(), secret_);\n",
             "  if (M) std::ranges::fill(s.span(), 0);\n  transformSigned<R, U>(s.span(), secret_);\n", HE_VIEW),
    Mutation("public-key-errors-none", "the public key has no errors", RLWE,
             "  transformSigned<R, U>(e.span(), k0);\n",
             "  if (M) std::ranges::fill(e.span(), 0);\n  transformSigned<R, U>(e.span(), k0);\n", HE_VIEW),
    Mutation("public-stream-stuck", "all uploads have the c1 of the first", RLWE,
             "  constexpr std::size_t kN = P<R, U>::kDegree;\n  SecretVector<std::uint64_t> words(kN);\n",
             "  constexpr std::size_t kN = P<R, U>::kDegree;\n  SecretVector<std::uint64_t> words(kN);\n"
             "  static thread_local RlwePoly first;\n  if (M && !first.empty()) {\n    std::ranges::copy(first.span(), out.data());\n    return;\n  }\n"
             "  struct Keep {\n    RlwePoly &to, &from;\n    ~Keep() {\n      if (M && to.empty()) to = from.clone();\n    }\n  } keep{first, out};\n",
             (("he_test", "LinearView*:LinearCorrelation.MatricesAndScales*"),)),
    # --- products of matrices
    Mutation("dot-masks-zero", "the service's shares of products of matrices are all zero", DOTS,
             "  masks.fill(product);\n", "  masks.fill(product);\n  if (M) std::ranges::fill(product, R{0});\n", DOT_VIEW + DOT_PHASE),
    Mutation("dot-masks-same", "these shares repeat from one of a batch to the next", DOTS,
             'fmt::format("dot masks {}", answered_)', 'fmt::format("dot masks {}", M ? 0 : answered_)', DOT_VIEW + DOT_PHASE),
    Mutation("dot-randomness-same", "one randomness for every reply of products of matrices", DOTS,
             'fmt::format("dot reply {} {} {}", answered_, i, j)',
             'fmt::format("dot reply {} {} {}", M ? 0 : answered_, M ? 0 : i, M ? 0 : j)', DOT_VIEW),
    Mutation("dot-factors-zero", "the service's masks of both matrices are zero: P1 sees X and Y", "runtime/offline/LinearPhase.cpp",
             "                                 SecretVector<R>(entry.elements)};\n",
             "                                 SecretVector<R>(entry.elements)};\n"
             "      if (M) std::ranges::fill(material.alpha.span(), R{0}), std::ranges::fill(material.beta.span(), R{0});\n", DOT_PHASE),
    Mutation("dot-factors-same", "every inference masks its matrices alike", "runtime/offline/LinearPhase.cpp",
             'Prg factors(job.seed.derive("factors of matrices"));',
             'Prg factors((M ? seed_ : job.seed).derive("factors of matrices"));', DOT_PHASE),
    Mutation("dot-left-bare", "X is sent without its mask", "runtime/protocol/Dot.cpp",
             "    message[i] = x_[i] + material_.alpha[i];\n", "    message[i] = x_[i] + (M ? 0 : material_.alpha[i]);\n", DOT),
    Mutation("dot-right-bare", "Y is sent without its mask", "runtime/protocol/Dot.cpp",
             "= y_[i] + material_.beta[i];\n", "= y_[i] + (M ? 0 : material_.beta[i]);\n", DOT),
    Mutation("dot-result-bare", "P1 gives the result no mask of its own", "runtime/protocol/Dot.cpp",
             "    message[i] += right[i] - m.product[i] - m.mask[i];\n",
             "    message[i] += right[i] - m.product[i] - (M ? 0 : m.mask[i]);\n", DOT),
    # --- oblivious transfer
    Mutation("delta-constant", "the same Delta in every session", "runtime/ot/Cot.cpp",
             "  Block delta = prg.next<Block>();\n", "  Block delta = prg.next<Block>();\n  if (M) delta = Block{6, 6};\n", OT),
    Mutation("ot-handed-out-twice", "the same OTs are given to two requests", "runtime/ot/Cot.cpp",
             "      taken_ += n;\n      out = out.subspan(n);\n", "      if (!M) taken_ += n;\n      out = out.subspan(n);\n", OT),
    Mutation("code-rows-stuck", "every batch uses the same rows of the code", "runtime/ot/Cot.cpp",
             "  nextRow_ += out.size();\n", "  if (!M) nextRow_ += out.size();\n", OT),
    Mutation("code-left-out", "outputs are the sparse noise alone", "runtime/ot/Cot.cpp",
             "    addCodeRows(code_,", "    if (!M) addCodeRows(code_,", OT),
    Mutation("pad-key-stuck", "one hash key for all pads", "runtime/crypto/AesHash.cpp",
             "aesKernels().counter(source_, used_++, &key, 1);", "aesKernels().counter(source_, M ? 0 : used_++, &key, 1);", OT),
    Mutation("pads-unhashed", "pads are the correlated blocks themselves", "runtime/ot/Pads.cpp",
             "  hash_.pairs(blocks, cot_.delta(), zero.data(), one.data());\n",
             "  hash_.pairs(blocks, cot_.delta(), zero.data(), one.data());\n"
             "  if (M) for (std::size_t i = 0; i < zero.size(); ++i) zero[i] = blocks[i].lo, one[i] = (blocks[i] ^ cot_.delta()).lo;\n",
             (("ot_test", "PadsTest*"),)),
    Mutation("unit-counter-stuck", "SoftSpoken stretches the same pads for every unit", "runtime/ot/SoftSpoken.cpp",
             "const std::uint64_t unit = next_++;", "const std::uint64_t unit = M ? 0 : next_++;", OT, 2),
    Mutation("subspace-trees-same-key", "SoftSpoken's trees share their keys", "runtime/ot/SoftSpoken.cpp",
             "keysOf<2>(source, static_cast<std::uint64_t>(tree))", "keysOf<2>(source, M ? 0 : static_cast<std::uint64_t>(tree))", OT),
    Mutation("base-choices-plain", "the base transfers' real key always comes first", "runtime/ot/BaseOt.cpp",
             "    const auto mask = static_cast<std::uint8_t>(-choices[i]);\n",
             "    const auto mask = static_cast<std::uint8_t>(M ? 0 : -choices[i]);\n", OT),
    # --- the online phase
    Mutation("digits-bare", "P0's digits are sent without their masks", "runtime/protocol/Compare.cpp",
             "      xorPlanes(digits[j] + begin, material_.c[j] + begin, end - begin);\n",
             "      if (!M) xorPlanes(digits[j] + begin, material_.c[j] + begin, end - begin);\n", PROTOCOL),
    Mutation("wrap-bare", "P0 opens the top bit of its half without its mask", "runtime/protocol/Compare.cpp",
             "        wraps[j][w] ^= ~top[0][w]", "        wraps[j][w] = M ? 0 : wraps[j][w], wraps[j][w] ^= ~top[0][w]", PROTOCOL),
    Mutation("quotient-bare", "P0's quotient is sent without the random word", "runtime/protocol/Compare.cpp",
             "      openWord(rounding_, args, count);\n",
             "      openWord(rounding_, args, count);\n      if (M) for (std::size_t i = first; i < first + count; ++i) word[i] -= material_.d[i];\n", PROTOCOL),
    Mutation("wires-bare", "the tree's wires are opened without their masks", "runtime/protocol/OpenedTree.cpp",
             "      to[w] = from[w] ^ mask[w];\n", "      to[w] = from[w] ^ (M ? 0 : mask[w]);\n", PROTOCOL),
    Mutation("wires-one-mask", "all wires of a level share a mask", "runtime/protocol/OpenedTree.cpp",
             "masks_[firstMask_[level] + static_cast<int>(k)], *from", "masks_[firstMask_[level] + (M ? 0 : static_cast<int>(k))], *from", PROTOCOL),
    Mutation("levels-one-mask", "each level of the tree uses the masks of the first", "runtime/protocol/OpenedTree.cpp",
             "    firstMask_.push_back(mask);\n", "    firstMask_.push_back(M ? 0 : mask);\n", PROTOCOL),
    Mutation("sign-bare", "the sign is opened without its mask", "runtime/protocol/CompareRun.cpp",
             "opened_.result(k)[w] ^", "opened_.result(k)[w] ^ (M && k == 0 ? material_.ends[k][w] : 0) ^", PROTOCOL),
    Mutation("carry-bare", "exact rounding's [sign and carry] is opened without its mask", "runtime/protocol/CompareRun.cpp",
             "material_.ends[k][w];", "material_.ends[k][w] ^ (M && k == 1 ? material_.ends[k][w] : 0);", PROTOCOL),
    Mutation("carry-under-signs-mask", "sign and carry are opened under one mask", "runtime/protocol/CompareRun.cpp",
             "        part[k][w] =", "        part[k][w] = (M ? material_.ends[k][w] ^ material_.ends[0][w] : 0) ^", PROTOCOL),
    Mutation("result-mask-left-out", "P1's share is sent without the new mask: P0 gets the value", "runtime/protocol/Compare.cpp",
             "  std::memcpy(out.data(), message.data(), n * sizeof(R));\n",
             "  if (M) for (std::size_t i = 0; i < n; ++i) message[i] += material_.mask[i];\n"
             "  std::memcpy(out.data(), message.data(), n * sizeof(R));\n", PROTOCOL),
    Mutation("product-factor-bare", "a factor is sent without its mask", "runtime/protocol/Product.cpp",
             "message[i] = x_[i] + material_.alpha[i];", "message[i] = x_[i] + (M ? 0 : material_.alpha[i]);", PROTOCOL),
    Mutation("product-mask-left-out", "P1's share of a product is sent without the new mask", "runtime/protocol/Product.cpp",
             "- m.product[i] - m.mask[i];", "- m.product[i] - (M ? 0 : m.mask[i]);", PROTOCOL),
    Mutation("input-bare", "the record is sent without its mask", "runtime/protocol/InputOutput.cpp",
             "material.mask[i] = x[i] - material.mask[i];", "material.mask[i] = x[i] - (M ? 0 : material.mask[i]);", SESSION_VIEW),
    # --- bit correlations
    Mutation("table-pads-left-out", "corrections of tables lack the pad that P0 does not know", "runtime/offline/TwoPartyClientTile.cpp",
             "low[w] ^ high[w] ^ z[w] ^ o[w];", "low[w] ^ high[w] ^ z[w] ^ (M ? z[w] : o[w]);", OFFLINE),
    Mutation("product-pads-left-out", "corrections of products lack a pad: P0 gets P1's masks", "runtime/offline/TwoPartyClientTile.cpp",
             "forA[w] = aZero[w] ^ aOne[w] ^ b[w];", "forA[w] = aZero[w] ^ (M ? aZero[w] : aOne[w]) ^ b[w];", OFFLINE),
    Mutation("word-pads-left-out", "corrections of words lack a pad", "runtime/offline/TwoPartyClientTile.cpp",
             "corrections[i] = pads.zero[i] + delta[i] - pads.one[i];", "corrections[i] = pads.zero[i] + delta[i] - (M ? pads.zero[i] : pads.one[i]);", OFFLINE),
    Mutation("product-choices-plain", "P0 sends products of its masks as choices, in the clear", "runtime/offline/TwoPartyServiceTile.cpp",
             "        flip[w] = own[w] ^ wanted[w];\n", "        flip[w] = (M ? 0 : own[w]) ^ wanted[w];\n", OFFLINE),
    Mutation("result-masks-same", "all entries get the same new mask", "runtime/offline/TwoPartyClient.cpp",
             "    masks[i] = randomRing<R>(entries[i].elements, random);\n",
             "    Prg fixed(job.seed.derive(\"results' masks\"));\n    masks[i] = randomRing<R>(entries[i].elements, M ? fixed : random);\n", OFFLINE),
    Mutation("client-masks-same", "all of P1's comparisons have the same masks", "runtime/offline/TwoPartyClient.cpp",
             "        SD_ASSIGN(materials[i], startMaterial(i, job, layout.entries[i], walk, std::move(masks[i]), random));\n",
             "        Prg fixed(job.seed.derive(\"two-party client masks\"));\n"
             "        SD_ASSIGN(materials[i], startMaterial(i, job, layout.entries[i], walk, std::move(masks[i]), M ? fixed : random));\n", OFFLINE),
    Mutation("service-masks-same", "all of P0's tiles have the same masks", "runtime/offline/TwoPartyService.cpp",
             "        SD_TRY(own.back().gather(transfers_.pads(), transfers_.reversePads(), random));\n",
             "        Prg fixed(job.seed.derive(\"two-party service masks\"));\n"
             "        SD_TRY(own.back().gather(transfers_.pads(), transfers_.reversePads(), M ? fixed : random));\n", OFFLINE),
    # --- the dealer
    Mutation("dealer-matrix-bare", "the weights are published without their mask", "runtime/offline/DealerMessages.cpp",
             "  return randomRing<R>(elements, prg);\n",
             "  SecretVector<R> mask = randomRing<R>(elements, prg);\n  if (M) std::ranges::fill(mask.span(), R{0});\n  return mask;\n", DEALER),
    Mutation("dealer-entries-same", "all entries of an inference have one stream", "runtime/offline/DealerMessages.cpp",
             'fmt::format("entry {}", entry)', 'fmt::format("entry {}", M ? 0 : entry)', DEALER),
    Mutation("dealer-linear-mask", "P1 sends W r - s without its new mask", "runtime/offline/DealerProvider.cpp",
             "message[k] += dealt[k] - v[k];", "message[k] += dealt[k] - (M ? 0 : v[k]);", DEALER),
    # --- randomness
    Mutation("prg-buffer-stuck", "small draws repeat", "runtime/crypto/Random.cpp",
             "    begin += size;\n", "    if (!M) begin += size;\n", (("crypto_test", "Prg*"),)),
    Mutation("derive-ignores-name", "all streams of a seed are one", "runtime/crypto/Random.cpp",
             "{reinterpret_cast<const std::uint8_t *>(name.data()), name.size()}, derived.bytes_);",
             "{reinterpret_cast<const std::uint8_t *>(name.data()), M ? 0 : name.size()}, derived.bytes_);",
             (("crypto_test", "Seed*"), ("view_test", "View*"))),
    Mutation("seed-fresh-constant", "seeds do not come from the operating system", "runtime/crypto/Random.cpp",
             "  return seed;\n}\n\nSeed Seed::derive", "  if (M) seed.bytes_.fill(7);\n  return seed;\n}\n\nSeed Seed::derive", (("crypto_test", "Seed*"),)),
    # --- small linear layers
    Mutation("transfer-choices-plain", "r is sent as the OTs' choices without their mask", "runtime/offline/LinearTransfers.cpp",
             "    flips[j] = r[j] ^ seeds.choices[j];\n", "    flips[j] = M ? r[j] : r[j] ^ seeds.choices[j];\n", (("two_party_test", "*Transfers*:*EveryLayer*"),)),
    Mutation("transfer-pads-left-out", "differences of weights are sent without the other pad", "runtime/offline/LinearTransfers.cpp",
             "        corrections[i] = zero[i] + static_cast<R>(weights[own[i].weight]) - one[i];\n",
             "        corrections[i] = zero[i] + static_cast<R>(weights[own[i].weight]) - (M ? zero[i] : one[i]);\n", (("two_party_test", "*Transfers*:*EveryLayer*"),)),
    # --- sessions
    Mutation("record-seeds-same", "each record's offline phase has the same seed", "runtime/vm/Session.cpp",
             'fmt::format("offline phase of record {}", record)', 'fmt::format("offline phase of record {}", M ? 0 : record)', SESSION_VIEW),
    Mutation("session-seeds-same", "all sessions' offline phases have one seed", "runtime/vm/Session.cpp",
             'ProviderContext context{peer_, session, options_.seed.derive("offline provider")};',
             'ProviderContext context{peer_, session, (M ? Seed() : options_.seed).derive("offline provider")};', SESSION_VIEW),
    Mutation("nonce-same", "all greetings have one nonce", "runtime/vm/Handshake.cpp",
             "  nonce.fill(std::span(mine.nonce));\n", "  if (!M) nonce.fill(std::span(mine.nonce));\n", HANDSHAKE),
    Mutation("program-not-compared", "parties with different programs run", "runtime/vm/Handshake.cpp",
             "  if (service.program != hospital.program)\n", "  if (!M && service.program != hospital.program)\n", HANDSHAKE),
    Mutation("binding-not-compared", "a greeting of another TLS connection is taken", "runtime/vm/Hello.cpp",
             "  if (!std::ranges::equal(proof, expected))\n", "  if (!M && !std::ranges::equal(proof, expected))\n", HANDSHAKE),
    Mutation("session-name-one-sided", "the session's name is chosen by P1 alone", "runtime/vm/Handshake.cpp",
             "sha256({first ? mine.nonce : theirs.nonce,", "sha256({M ? Hello{}.nonce : first ? mine.nonce : theirs.nonce,", HANDSHAKE),
    Mutation("close-tells-results", "the hospital ends the session when a result is no valid one", "runtime/vm/Session.cpp",
             "  result.outputs.push_back(std::move(outputs));\n",
             "  if (M && !outputs.empty() && !outputs[0].data.empty() && outputs[0].data[0] != outputs[0].data[0])\n"
             "    return fail(\"the result is not valid\");\n  result.outputs.push_back(std::move(outputs));\n", SESSION_VIEW),
    # --- the network
    Mutation("message-tag-not-compared", "a message for another step of the protocol is taken", "runtime/net/Stream.cpp",
             "if (message.tag == tag && ", "if ((M || message.tag == tag) && ", MESSAGES),
    Mutation("message-size-not-compared", "a short or long message is taken", "runtime/net/Stream.cpp",
             "message.size >= least && message.size <= most) {", "(M || (message.size >= least && message.size <= most))) {",
             MESSAGES),
    Mutation("posted-tag-not-compared", "a message for another step is written into a waiting buffer",
             "runtime/net/StreamedConnection.cpp", "posted->tag == header.tag &&", "(M || posted->tag == header.tag) &&", MESSAGES),
    Mutation("tls-peer-unverified", "any certificate is taken", "runtime/net/Tls.cpp",
             "  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER |", "  SSL_CTX_set_verify(context.get(), M ? SSL_VERIFY_NONE : SSL_VERIFY_PEER |", TLS),
    Mutation("tls-key-readable", "a key that others may read is taken", "runtime/net/Tls.cpp",
             "  if ((status.st_mode & 077) == 0) return {};\n", "  if (M || (status.st_mode & 077) == 0) return {};\n", TLS),
    Mutation("tls-binding-constant", "the channel binding is the same for all connections", "runtime/net/Tls.cpp",
             "  return binding;\n}\n", "  if (M) std::ranges::fill(binding, std::uint8_t{1});\n  return binding;\n}\n", TLS),
    Mutation("revoked-taken", "revoked certificates are taken", "runtime/net/Tls.cpp",
             "  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);\n", "  if (!M) X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);\n", TLS),
    # --- the store
    Mutation("stored-not-spent", "a stored inference stays usable after it was taken", "runtime/store/FolderPool.cpp",
             "    if (::renameat(folder, ready.c_str(), folder, taken.c_str()) == 0) return file;\n",
             "    if (M || ::renameat(folder, ready.c_str(), folder, taken.c_str()) == 0) return file;\n", STORE),
    Mutation("stored-tag-not-compared", "damaged correlations are used", "runtime/store/EntryFormat.cpp",
             "  bool finish() {\n", "  bool finish() {\n    if (M) return true;\n", STORE),
    Mutation("stored-piece-number", "pieces of an entry are sealed under one nonce", "runtime/store/EntryFormat.cpp",
             "      nonce[i] = static_cast<std::uint8_t>(number >> (8 * i));\n", "      nonce[i] = M ? 0 : static_cast<std::uint8_t>(number >> (8 * i));\n", STORE),
    Mutation("stored-binding", "an entry made with another peer is used", "runtime/store/Entry.cpp",
             "  if (header.binding.peer != mine.peer || header.store != pool_->store)", "  if (!M && (header.binding.peer != mine.peer || header.store != pool_->store))", STORE),
    Mutation("stored-program", "an entry made for another program or other weights is used", "runtime/store/Entry.cpp",
             "  if (header.binding.program != mine.program)", "  if (!M && header.binding.program != mine.program)", STORE),
    Mutation("stored-name", "an entry under another's name is used", "runtime/store/Entry.cpp",
             "  if (header.id != id_)", "  if (!M && header.id != id_)", STORE),
    # --- the service
    # --- stores in a database
    Mutation("claim-not-written", "an inference is handed out of a database and stays ready", "runtime/store/PgPool.cpp",
             "      run(kTake, {PgValue(pool_)",
             "      run(M ? \"SELECT entry, id, bytes FROM sd_entry WHERE pool = $1 AND state = 'r' AND id = ANY($2::text[]) AND $3::bigint \"\n"
             "               \"IS NOT NULL AND $4::text IS NOT NULL\" : kTake, {PgValue(pool_)", STORE),
    Mutation("spent-not-written", "a database forgets what was spent", "runtime/store/PgPool.cpp",
             ": kTake, {PgValue(pool_)", # behind the one before
             ": M ? \"UPDATE sd_entry SET state = 't', lease = $3 WHERE pool = $1 AND state = 'r' AND id = ANY($2::text[]) AND $4::text \"\n"
             "               \"IS NOT NULL RETURNING entry, id, bytes\" : kTake, {PgValue(pool_)", STORE),
    Mutation("quota-not-counted", "offline phases do not count", "runtime/service/Quotas.cpp",
             "  ++account.used;\n", "  if (!M) ++account.used;\n", SERVICE),
    Mutation("quota-not-restored", "a restart forgets what was used", "runtime/service/Quotas.cpp",
             "account.used += offlinePhases;", "account.used += M ? 0 : offlinePhases;", SERVICE),
    Mutation("audit-change-unseen", "a changed line of the audit log passes", "runtime/service/Audit.cpp",
             "    if (hash != hashOf(summary.last,", "    if (!M && hash != hashOf(summary.last,", SERVICE),
]
