#include "runtime/net/Channel.h"

namespace sd {

Traffic Traffic::operator-(const Traffic &other) const {
  return {bytesSent - other.bytesSent, bytesReceived - other.bytesReceived, messagesSent - other.messagesSent,
          messagesReceived - other.messagesReceived};
}

Traffic &Traffic::operator+=(const Traffic &other) {
  bytesSent += other.bytesSent;
  bytesReceived += other.bytesReceived;
  messagesSent += other.messagesSent;
  messagesReceived += other.messagesReceived;
  return *this;
}

} // namespace sd
