#include "runtime/offline/Dealer.h"

#include "ir/bytecode/Reader.h"
#include "ir/core/Guard.h"
#include "runtime/offline/Deal.h"
#include "runtime/offline/DealerProvider.h"

namespace sd {

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

// False when the parties have gone.
template <RingWord R>
Expected<bool> Dealer::dealOnce(Session<R> &session) {
  auto serviceDraw = receiveDraw(session.service);
  if (!serviceDraw) return false;
  SD_ASSIGN(const DealerDraw clientDraw, receiveDraw(session.client));
  if (serviceDraw->number != session.number || clientDraw.number != session.number)
    return fail("the parties ask for inferences {} and {} where {} is next", serviceDraw->number, clientDraw.number,
                session.number);
  std::array<std::uint8_t, 8> drawn{};
  for (int i = 0; i < 8; ++i)
    drawn[i] = static_cast<std::uint8_t>(session.number >> (8 * i));
  SD_TRY(session.service.send(tag::kDealerDrawn, drawn));
  SD_TRY(dealEntries(session, serviceDraw->seed, clientDraw.seed));
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
    completeClient(entry, service, client);
    SecretVector<std::uint8_t> corrections(bytes);
    writeCorrections(entry, client, corrections.span());
    SD_TRY(session.client.send(tag::kDealerCorrections, corrections.span()));
  }
  return {};
}

} // namespace sd
