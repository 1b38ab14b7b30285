// A connection over a ByteStream: frames written by whoever sends, read by one thread of its own.
#pragma once

#include <memory>

#include "runtime/net/ByteStream.h"
#include "runtime/net/StreamedConnection.h"

namespace sd {

// Takes over a stream whose handshake is done.
Expected<std::unique_ptr<Connection>> makeSocketConnection(std::unique_ptr<ByteStream> stream, std::string peerName,
                                                           const ConnectionOptions &options);

} // namespace sd
