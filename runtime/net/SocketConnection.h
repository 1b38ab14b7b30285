// A connection over a ByteStream: who sends writes, who receives reads, and a thread of its own does the rest.
#pragma once

#include <memory>

#include "runtime/net/ByteStream.h"
#include "runtime/net/StreamedConnection.h"

namespace sd {

// Takes over a stream whose handshake is done.
Expected<std::unique_ptr<Connection>> makeSocketConnection(std::unique_ptr<ByteStream> stream, std::string peerName,
                                                           const ConnectionOptions &options);

} // namespace sd
