// A non-blocking stream of bytes to one peer: what TCP and TLS differ in. Errors complete the sentence "the peer at
// HOST:PORT ...".
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "ir/core/Error.h"

namespace sd {

enum class IoWait { None, Read, Write }; // what to poll the descriptor for before trying again

struct IoResult {
  std::size_t bytes = 0;
  IoWait wait = IoWait::None; // not None: no more is possible now
  bool end = false;           // the peer will send nothing more
};

// Safe for one reader and one writer at a time, in different threads.
class ByteStream {
public:
  virtual ~ByteStream() = default;
  virtual int descriptor() const = 0;

  // To be repeated until it wants no wait.
  virtual Expected<IoWait> handshake() = 0;

  virtual Expected<IoResult> read(std::span<std::uint8_t> out) = 0;

  // Writes `head` and then `body`, as much as goes now. What is left must be the beginning of the next write.
  virtual Expected<IoResult> write(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) = 0;

  // Tells the peer that nothing more will come.
  virtual void endWrite() = 0;

  // What takes the stream's place once its handshake is over; none: itself.
  virtual std::unique_ptr<ByteStream> successor() { return nullptr; }
};

} // namespace sd
