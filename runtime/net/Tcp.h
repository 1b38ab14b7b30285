// Plain TCP.
#pragma once

#include <memory>

#include "runtime/net/ByteStream.h"
#include "runtime/net/Socket.h"

namespace sd {

std::unique_ptr<ByteStream> makeTcpStream(Socket socket);

// recv(2) and send(2) with the conventions of ByteStream; never a signal.
Expected<IoResult> receiveBytes(int descriptor, std::span<std::uint8_t> out);
Expected<IoResult> sendBytes(int descriptor, std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);

} // namespace sd
