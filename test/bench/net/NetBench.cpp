// Throughput and latency of each transport between two threads, beside bare sockets and a copy in memory.
// The CPU column is that of both sides together, which a busy machine disturbs least.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "runtime/net/Connect.h"
#include "runtime/net/MemoryChannel.h"
#include "test/unit/net/Authority.h"

namespace sd {
namespace {

using Ends = std::pair<std::unique_ptr<Connection>, std::unique_ptr<Connection>>;

Ends overSockets(EndpointOptions options) {
  options.address = {"127.0.0.1", 0};
  Expected<Listener> listener = listen(options);
  if (!listener) return {};
  options.address = listener->address();
  Expected<std::unique_ptr<Connection>> client;
  std::thread thread([&] { client = sd::connect(options); });
  Expected<std::unique_ptr<Connection>> server = listener->accept();
  thread.join();
  if (!server || !client) return {};
  return {std::move(*server), std::move(*client)};
}

Ends open(const std::string &transport) {
  if (transport == "memory") return makeMemoryConnections();
  EndpointOptions options;
  static const test::Authority authority("bench");
  if (transport == "tls") options.tls = authority.issue("party", "IP:127.0.0.1");
  return overSockets(options);
}

// One message each way an iteration: half the time is the one-way latency.
void pingPong(benchmark::State &state, const std::string &transport) {
  Ends ends = open(transport);
  if (!ends.first) return state.SkipWithError("no connection");
  std::vector<std::uint8_t> message(static_cast<std::size_t>(state.range(0))), back(message.size());
  std::thread echo([&] {
    std::vector<std::uint8_t> buffer(message.size());
    while (ends.second->stream(1).receive(1, buffer) && ends.second->stream(1).send(1, buffer)) {
    }
  });
  for (auto _ : state)
    if (!ends.first->stream(1).send(1, message) || !ends.first->stream(1).receive(1, back))
      return state.SkipWithError("lost");
  ends.first->close("");
  echo.join();
}

// One direction, as fast as the receiver takes it.
void throughput(benchmark::State &state, const std::string &transport) {
  Ends ends = open(transport);
  if (!ends.first) return state.SkipWithError("no connection");
  std::vector<std::uint8_t> message(static_cast<std::size_t>(state.range(0)), 1);
  std::thread sender([&] {
    while (ends.second->stream(1).send(1, message)) {
    }
  });
  std::vector<std::uint8_t> received(message.size());
  for (auto _ : state)
    if (!ends.first->stream(1).receive(1, received)) return state.SkipWithError("lost");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
  ends.first->close("");
  sender.join();
}

void copy(benchmark::State &state) {
  std::vector<std::uint8_t> from(static_cast<std::size_t>(state.range(0)), 1), to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

// What the operating system's sockets do without any of this: the baseline of throughput/tcp.
void rawSockets(benchmark::State &state) {
  const Expected<Socket> listener = listenOn({"127.0.0.1", 0});
  if (!listener) return state.SkipWithError("cannot listen");
  const Expected<Socket> client = connectTo(localAddress(*listener), Deadline::max());
  Socket server = acceptFrom(*listener).first;
  if (!client || !server) return state.SkipWithError("no connection");
  for (int descriptor : {client->get(), server.get()})
    ::fcntl(descriptor, F_SETFL, 0); // blocking
  std::vector<std::uint8_t> message(static_cast<std::size_t>(state.range(0)), 1);
  std::thread sender([&] {
    while (::send(client->get(), message.data(), message.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  std::vector<std::uint8_t> received(message.size());
  for (auto _ : state)
    for (std::size_t got = 0; got < received.size();) {
      const ssize_t count = ::recv(server.get(), received.data() + got, received.size() - got, 0);
      if (count <= 0) return state.SkipWithError("lost");
      got += static_cast<std::size_t>(count);
    }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
  server = Socket();
  sender.join();
}

BENCHMARK(copy)->Arg(1 << 20);
BENCHMARK(rawSockets)->Arg(64 << 10)->Arg(1 << 20)->Arg(16 << 20)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(pingPong, memory, "memory")->Arg(64)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(pingPong, tcp, "tcp")->Arg(64)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(pingPong, tls, "tls")->Arg(64)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(throughput, memory, "memory")->Arg(1 << 20)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(throughput, tcp, "tcp")
    ->Arg(64 << 10)
    ->Arg(1 << 20)
    ->Arg(16 << 20)
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(throughput, tls, "tls")->Arg(1 << 20)->UseRealTime()->MeasureProcessCPUTime();

} // namespace
} // namespace sd
