#include "runtime/offline/Dealer.h"

#include "ir/bytecode/Reader.h"
#include "ir/core/Guard.h"
#include "runtime/offline/Deal.h"
#include "runtime/offline/DealerProvider.h"

namespace sd {
namespace {

// How long one party is waited for before the other is looked at.
constexpr std::chrono::milliseconds kTurn{500}, kGlance{0};

// Of both parties' material while an entry is dealt: as it is packed, twice for what is made on the way, and words that
// are packed to a few bits.
std::uint64_t entryBytes(const PlanEntry &entry, int ringBits) {
  const std::uint64_t word = static_cast<std::uint64_t>(ringBits) / 8;
  return 2 * (packedBytes(entry, 0, ringBits) + packedBytes(entry, 1, ringBits)) + 16 * word * entry.elements;
}

// What dealing a program takes, at the most: the masks of its matrices, of the plan's entries and of the shares that
// the walk goes through, and the largest entry.
template <RingWord R>
std::uint64_t bytesToDeal(const Program &program, const Plan &plan, const LinearMaps<R> &maps) {
  std::uint64_t words = 0, largest = 0, largestShare = 0;
  for (const auto &[index, entry] : linearMatrices(plan))
    words += maps.sizes(entry).weights;
  for (const PlanEntry &entry : plan.entries) {
    words += entry.elements;
    largest = std::max(largest, entryBytes(entry, kBitsOf<R>));
  }
  for (const Type &slot : program.slots) {
    if (slot.holder != Holder::Share) continue;
    const auto elements = static_cast<std::uint64_t>(elementCount(slot.shape));
    words += elements;
    largestShare = std::max(largestShare, elements);
  }
  return (words + 2 * largestShare) * sizeof(R) + largest;
}

} // namespace

template <RingWord R>
struct Dealer::Session {
  const Program &program;
  const Plan &plan;
  Channel &service, &client;
  std::unique_ptr<LinearMaps<R>> maps;
  std::map<std::uint32_t, SecretVector<R>> matrixMasks; // A by index of the matrix
  std::uint64_t number = 0;
};

Dealer::Dealer(DealerOptions options, ThreadPool &pool) : options_(std::move(options)), pool_(pool) {}

Expected<Dealer::Guest> Dealer::welcome(std::unique_ptr<Connection> party) {
  std::array<std::uint8_t, kDealerHelloBytes> bytes{};
  SD_TRY(party->stream(kDealerStream).receive(tag::kDealerHello, bytes));
  auto hello = decodeHello(bytes);
  if (!hello) {
    party->close(hello.error().message);
    return tl::unexpected(std::move(hello).error());
  }
  return Guest{*hello, std::move(party)};
}

// The second party of a session takes the first one's connection; the first gets null back, or waits in vain.
Expected<std::unique_ptr<Connection>> Dealer::findPartner(Guest &guest) {
  std::unique_lock lock(mutex_);
  const auto refuse = [&](std::string_view reason) {
    guest.connection->close(reason);
    return fail("{}: {}", guest.connection->peerName(), reason);
  };
  if (const auto other = waiting_.find(guest.hello.session); other != waiting_.end()) {
    if (other->second->hello.party == guest.hello.party) return refuse("this party of the session is here already");
    auto connection = std::move(other->second->connection);
    const bool same = other->second->hello.program == guest.hello.program;
    waiting_.erase(other);
    taken_.notify_all();
    if (same) return connection;
    connection->close("the other party names another program");
    return refuse("the other party names another program");
  }
  if (waiting_.size() >= options_.maxWaiting) return refuse("the dealer has too many waiting parties; try later");
  waiting_[guest.hello.session] = &guest;
  const bool found = taken_.wait_for(lock, options_.waitForPartner, [&] { return !guest.connection; });
  if (found) return nullptr;
  waiting_.erase(guest.hello.session);
  return refuse("the other party did not come to the dealer in time");
}

Expected<void> Dealer::serve(std::unique_ptr<Connection> party) {
  SD_ASSIGN(Guest guest, welcome(std::move(party)));
  SD_ASSIGN(std::unique_ptr<Connection> partner, findPartner(guest));
  if (!partner) return {}; // the partner's thread serves both
  Connection *service = guest.connection.get(), *client = partner.get();
  if (guest.hello.party == 1) std::swap(service, client);
  auto served = guarded([&] { return serveSession(guest.hello.program, *service, *client); });
  const std::string reason = served ? "the session is over" : served.error().message;
  service->close(reason);
  client->close(reason);
  return served;
}

Expected<void> Dealer::serveSession(const Digest &program, Connection &serviceEnd, Connection &clientEnd) {
  Channel &service = serviceEnd.stream(kDealerStream), &client = clientEnd.stream(kDealerStream);
  SD_ASSIGN(const auto bytes, service.receiveUpTo(tag::kDealerProgram, kMaxDealtProgramBytes));
  if (digestOf(bytes) != program) return fail("the program sent to the dealer is not the one that was named");
  std::array<std::uint8_t, Seed::kBytes> seedBytes{};
  SD_TRY(service.receive(tag::kDealerMatrixSeed, seedBytes));
  const Seed matrixSeed(seedBytes);
  OPENSSL_cleanse(seedBytes.data(), seedBytes.size());

  SD_ASSIGN(const Program parsed, readProgram(bytes));
  SD_ASSIGN(const Plan plan, makePlan(parsed));
  return withRing(parsed.ringBits, [&]<class R>() {
    return dealAll(Session<R>{parsed, plan, service, client, {}, {}}, matrixSeed);
  });
}

template <RingWord R>
Expected<void> Dealer::dealAll(Session<R> session, const Seed &matrixSeed) {
  session.maps = std::get<DealerOps<R>>(options_.ops).makeMaps(session.program, session.plan, pool_);
  if (const std::uint64_t bytes = bytesToDeal<R>(session.program, session.plan, *session.maps);
      bytes > options_.sessionBytes)
    return fail("the program needs {} MB of the dealer's memory, which gives a session {} (sd-deal --session-memory)",
                bytes / 1'000'000 + 1, options_.sessionBytes / 1'000'000);
  for (const auto &[index, entry] : linearMatrices(session.plan))
    session.matrixMasks[index] = matrixMask<R>(matrixSeed, index, session.maps->sizes(entry).weights);
  const std::uint8_t ready = 1;
  SD_TRY(session.service.send(tag::kDealerReady, std::span(&ready, 1)));
  SD_TRY(session.client.send(tag::kDealerReady, std::span(&ready, 1)));
  for (;;) {
    SD_ASSIGN(const bool dealt, dealOnce(session));
    if (!dealt) return {};
  }
}

// Waits until both parties have asked for an inference, however long they are at work on the one before; false when one
// has gone. Both are watched, one after the other.
template <RingWord R>
Expected<bool> Dealer::awaitDraws(Session<R> &session) {
  using Arrival = Channel::Arrival;
  for (;;) {
    SD_ASSIGN(const Arrival service, session.service.await(kTurn));
    SD_ASSIGN(const Arrival client, session.client.await(service == Arrival::Message ? kTurn : kGlance));
    if (service == Arrival::Closed || client == Arrival::Closed) return false;
    if (service == Arrival::Message && client == Arrival::Message) return true;
  }
}

// False when the parties have gone.
template <RingWord R>
Expected<bool> Dealer::dealOnce(Session<R> &session) {
  SD_ASSIGN(const bool more, awaitDraws(session));
  if (!more) return false;
  SD_ASSIGN(const DealerDraw serviceDraw, receiveDraw(session.service));
  SD_ASSIGN(const DealerDraw clientDraw, receiveDraw(session.client));
  if (serviceDraw.number != session.number || clientDraw.number != session.number)
    return fail("the parties ask for inferences {} and {} where {} is next", serviceDraw.number, clientDraw.number,
                session.number);
  std::array<std::uint8_t, 8> drawn{};
  for (int i = 0; i < 8; ++i)
    drawn[i] = static_cast<std::uint8_t>(session.number >> (8 * i));
  SD_TRY(session.service.send(tag::kDealerDrawn, drawn));
  SD_TRY(dealEntries(session, serviceDraw.seed, clientDraw.seed));
  ++session.number;
  return true;
}

template <RingWord R>
Expected<void> Dealer::dealEntries(Session<R> &session, const Seed &serviceSeed, const Seed &clientSeed) {
  const auto walk = std::get<DealerOps<R>>(options_.ops).makeWalk(session.program, session.plan, pool_);
  SD_ASSIGN(auto masks, dealtMasks(session.plan, clientSeed, *walk));
  for (std::size_t i = 0; i < session.plan.entries.size(); ++i) {
    const PlanEntry &entry = session.plan.entries[i];
    Prg servicePrg = entryStream(serviceSeed, i), clientPrg = entryStream(clientSeed, i);
    if (entry.kind == EntryKind::Linear) {
      const auto s = std::get<LinearMaterial<R>>(dealtServiceParts<R>(entry, servicePrg));
      SD_ASSIGN(const auto r, walk->operand(i, 0));
      SecretVector<R> y(entry.elements);
      session.maps->apply(i, session.matrixMasks[entry.weights].span(), r.span(), y.span());
      for (std::size_t k = 0; k < entry.elements; ++k)
        y[k] -= s.u[k];
      SD_TRY(sendWords<R>(session.client, tag::kDealerCorrections, y.span()));
      continue;
    }
    const std::size_t bytes = correctionBytes(entry, kBitsOf<R>);
    if (bytes == 0) continue;
    const ServiceMaterial<R> service = dealtServiceParts<R>(entry, servicePrg);
    ClientMaterial<R> client = dealtClientParts<R>(entry, clientPrg);
    SD_TRY(setMasks(session.plan, i, *walk, std::move(masks[i]), client));
    completeClient(entry, service, client, &pool_);
    SecretVector<std::uint8_t> corrections(bytes);
    writeCorrections(entry, client, corrections.span());
    SD_TRY(session.client.send(tag::kDealerCorrections, corrections.span()));
  }
  return {};
}

} // namespace sd
