#include "runtime/vm/Local.h"

#include <thread>

namespace sd {

template <RingWord R>
Expected<LocalResult> runLocal(ConnectionPair link, const LocalOptions<R> &options,
                               std::span<const NamedTensors> records) {
  SD_TRY(checkRecords(options.program.program, records));
  Expected<SessionStats> service = fail("the service did not run");
  std::thread thread([&] {
    const SessionOptions session{options.program, options.pool, options.mode, options.serviceSeed,
                                 [&] { return options.serviceDealer; }};
    service = runService(*link.first, session, options.weights, options.makeServiceProvider);
  });
  const SessionOptions session{
      options.program, options.pool,    options.mode, options.clientSeed, [&] { return options.clientDealer; }, {},
      options.results, options.progress};
  Expected<ClientResult> client = runClient(*link.second, session, records, options.makeClientProvider);
  thread.join();
  // The side that failed first has the better message; the other one only lost its peer. A sink's error is the
  // client's.
  const Error *own = !client ? &client.error() : client->failure ? &*client->failure : nullptr;
  if (own != nullptr && own->kind == ErrorKind::Output) return tl::unexpected(*own);
  if (!service) return tl::unexpected(service.error());
  if (!client) return tl::unexpected(client.error());
  if (client->failure) return tl::unexpected(*client->failure);
  return LocalResult{std::move(client->outputs), std::move(*service), std::move(client->stats)};
}

template Expected<LocalResult> runLocal(ConnectionPair, const LocalOptions<Ring32> &, std::span<const NamedTensors>);
template Expected<LocalResult> runLocal(ConnectionPair, const LocalOptions<Ring64> &, std::span<const NamedTensors>);

} // namespace sd
