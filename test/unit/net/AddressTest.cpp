#include "runtime/net/Address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sd {
namespace {

using testing::HasSubstr;

TEST(Address, Parses) {
  EXPECT_EQ(parseAddress("127.0.0.1:7766"), (Address{"127.0.0.1", 7766}));
  EXPECT_EQ(parseAddress("clinic.example:1"), (Address{"clinic.example", 1}));
  EXPECT_EQ(parseAddress("[::1]:65535"), (Address{"::1", 65535}));
  EXPECT_EQ(parseAddress("[fe80::1%eth0]:0"), (Address{"fe80::1%eth0", 0}));
}

TEST(Address, PrintsWhatItParses) {
  for (const char *text : {"127.0.0.1:7766", "localhost:0", "[::1]:7766", "[2001:db8::5]:80"}) {
    const Expected<Address> address = parseAddress(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(toString(*address), text);
  }
}

TEST(Address, RefusesWithTheReason) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "no port"},
      {"localhost", "no port"},
      {":7766", "no host"},
      {"localhost:", "port is not a number"},
      {"localhost:65536", "port is not a number"},
      {"localhost:-1", "port is not a number"},
      {"localhost:+1", "port is not a number"},
      {"localhost:1a", "port is not a number"},
      {"localhost: 1", "port is not a number"},
      {"::1:7766", "needs brackets"},
      {"[::1:7766", "bracket is not closed"},
      {"[::1]7766", "bracket is not closed"},
      {"[localhost]:1", "no IPv6 address"},
      {"[]:1", "no IPv6 address"},
      {"a b:1", "spaces"},
      {"a\n:1", "spaces"},
  };
  for (const auto &[text, why] : cases) {
    const Expected<Address> address = parseAddress(text);
    ASSERT_FALSE(address) << text;
    EXPECT_THAT(address.error().message, HasSubstr(why)) << text;
  }
}

TEST(Address, Loopback) {
  for (const char *host : {"localhost", "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(isLoopback({host, 1})) << host;
  for (const char *host : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1", "localhost.evil.example",
                           "127.0.0.1.evil.example", "1"})
    EXPECT_FALSE(isLoopback({host, 1})) << host;
}

TEST(Address, PlaintextBeyondThisMachineNeedsConsent) {
  EXPECT_TRUE(checkPlaintextAllowed({"127.0.0.1", 1}, false));
  EXPECT_TRUE(checkPlaintextAllowed({"10.0.0.1", 1}, true));
  const Expected<void> refused = checkPlaintextAllowed({"0.0.0.0", 7766}, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("--allow-plaintext"));
  EXPECT_THAT(refused.error().message, HasSubstr("--tls-cert, --tls-key and --tls-ca"));
}

} // namespace
} // namespace sd
