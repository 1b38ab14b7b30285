#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "ir/bytecode/File.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/Reader.h"
#include "ir/bytecode/Verify.h"
#include "ir/bytecode/Writer.h"
#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RoundTrip : public testing::TestWithParam<Sample (*)()> {};

TEST_P(RoundTrip, ProgramComesBackAndIsWrittenTheSame) {
  const Sample sample = GetParam()();
  const auto bytes = writeProgram(sample.program);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto again = readProgram(*bytes);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->name, sample.program.name);
  EXPECT_EQ(again->ringBits, sample.program.ringBits);
  EXPECT_EQ(again->slots, sample.program.slots);
  EXPECT_TRUE(again->schema == sample.program.schema);
  ASSERT_EQ(again->instructions.size(), sample.program.instructions.size());
  for (std::size_t i = 0; i < again->instructions.size(); ++i) {
    EXPECT_EQ(again->instructions[i].op, sample.program.instructions[i].op);
    EXPECT_EQ(again->instructions[i].operands, sample.program.instructions[i].operands);
    EXPECT_EQ(again->instructions[i].result, sample.program.instructions[i].result);
    EXPECT_EQ(again->instructions[i].attrs, sample.program.instructions[i].attrs);
    EXPECT_EQ(again->instructions[i].source, sample.program.instructions[i].source);
  }
  EXPECT_EQ(*writeProgram(*again), *bytes);
}

TEST_P(RoundTrip, WeightsComeBackAndAreWrittenTheSame) {
  Sample sample = GetParam()();
  const Digest digest = digestOf(*writeProgram(sample.program));
  sample.bind(digest);
  const auto bytes = writeWeights(sample.weights, sample.program);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto again = readAnyWeights(*bytes, sample.program, digest);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(*again == sample.weights);
  EXPECT_EQ(*writeWeights(*again, sample.program), *bytes);
}

INSTANTIATE_TEST_SUITE_P(Samples, RoundTrip, testing::Values(&smallest, &tinyMlp, &branches, &wide));

TEST(ProgramIoTest, NamesInputsOutputsAndTheSecurePart) {
  const ProgramIo io = ioOf(tinyMlp().program);
  EXPECT_THAT(io.inputs, ElementsAre(Port{"x", 0}));
  EXPECT_THAT(io.outputs, ElementsAre(Port{"probabilities", 11}));
  EXPECT_EQ(io.bodyBegin, 6u);
  EXPECT_EQ(io.bodyEnd, 11u);
}

TEST(DigestTest, CoversTheHeaderAndTheContentButNotItsOwnCopy) {
  auto bytes = *writeProgram(tinyMlp().program);
  const Digest digest = digestOf(bytes);
  EXPECT_TRUE(std::equal(digest.begin(), digest.end(), bytes.begin() + 24));
  bytes[24] ^= 1;
  EXPECT_EQ(digestOf(bytes), digest);
  bytes[10] ^= 1;
  EXPECT_NE(digestOf(bytes), digest);
}

TEST(WeightsTest, TakeTheNarrowestWidthThatHoldsThem) {
  Sample sample = branches();
  const auto bytesFor = [&](std::int32_t value) {
    std::get<WeightSet<Ring32>>(sample.weights).tensors[0].data.assign(4, value);
    return writeWeights(sample.weights, sample.program)->size();
  };
  const std::size_t wide = bytesFor(32768);
  EXPECT_EQ(bytesFor(-32769), wide);
  EXPECT_EQ(bytesFor(32767), wide - 8);
  EXPECT_EQ(bytesFor(-129), wide - 8);
  EXPECT_EQ(bytesFor(-128), wide - 12);
  Sample larger = sd::wide();
  const auto bytesFor64 = [&](std::int64_t value) {
    std::get<WeightSet<Ring64>>(larger.weights).tensors[0].data.assign(2, value);
    return writeWeights(larger.weights, larger.program)->size();
  };
  EXPECT_EQ(bytesFor64(INT32_MIN), bytesFor64(std::int64_t{1} << 31) - 8);
  EXPECT_EQ(bytesFor64(INT32_MIN), bytesFor64(std::int64_t{INT32_MIN} - 1) - 8);
}

TEST(WeightsTest, OfAnotherRingAreRefused) {
  Sample narrow = branches();
  Program program = narrow.program;
  program.ringBits = kBitsOf<Ring64>;
  EXPECT_THAT(writeWeights(narrow.weights, program).error().message, HasSubstr("a ring of 32 bits"));
  const auto bytes = *writeWeights(narrow.weights, narrow.program);
  EXPECT_THAT(readWeights<Ring64>(bytes, program, {}).error().message, HasSubstr("a ring of 32 bits"));
}

TEST(WeightsTest, OfAnotherProgramAreRefused) {
  Sample sample = tinyMlp();
  const auto bytes = *writeWeights(sample.weights, sample.program); // digest all zero
  const auto read = readWeights<Ring32>(bytes, sample.program, digestOf(*writeProgram(sample.program)));
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("belong to another program"));
}

TEST(FileTest, IsWrittenWholeAndPrivatelyAndReadBack) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "bytecode-file-test";
  std::filesystem::create_directories(folder);
  const std::string path = folder / "w.sdw";
  const std::vector<std::uint8_t> first{1, 2, 3}, second{4};
  ASSERT_TRUE(writeFileAtomically(path, first, FileMode::Public));
  ASSERT_TRUE(writeFileAtomically(path, second, FileMode::Private));
  EXPECT_EQ(*readFile(path, 1), second);
  struct stat status = {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1) << "a temporary file is left";
  std::filesystem::remove_all(folder);
}

TEST(FileTest, NeitherReplacesNorWaitsForAPipe) {
  const std::string path = testing::TempDir() + "bytecode-file-test-pipe";
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(readFile(path, 1).error().message, HasSubstr("not a regular file"));
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  const std::vector<std::uint8_t> content{1, 2, 3};
  EXPECT_THAT(writeFileAtomically(path, content, FileMode::Private).error().message, HasSubstr("not a regular file"));
  EXPECT_THAT(checkWritable(path, FileMode::Private).error().message, HasSubstr("not a regular file"));
  EXPECT_TRUE(checkWritable(path, FileMode::Public));
  ASSERT_TRUE(writeFileAtomically(path, content, FileMode::Public));
  std::vector<std::uint8_t> read(4);
  EXPECT_EQ(::read(reader, read.data(), read.size()), 3);
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  ::close(reader);
  ::unlink(path.c_str());
}

TEST(FileTest, ErrorsNameThePath) {
  EXPECT_THAT(readFile("/nonexistent/x.sdb", 1).error().message, HasSubstr("/nonexistent/x.sdb: can't open"));
  EXPECT_THAT(readFile("/", 1).error().message, HasSubstr("not a regular file"));
  EXPECT_THAT(checkWritable("/nonexistent/x.sdb", FileMode::Public).error().message,
              HasSubstr("/nonexistent: can't open the folder"));
  EXPECT_THAT(checkWritable("/tmp", FileMode::Public).error().message, HasSubstr("it is a folder"));
  EXPECT_THAT(writeFileAtomically("/nonexistent/x.sdb", {}, FileMode::Public).error().message,
              HasSubstr("/nonexistent: can't open the folder"));
  EXPECT_THAT(readProgramFile("/nonexistent/x.sdb").error().message, HasSubstr("/nonexistent/x.sdb"));
}

} // namespace
} // namespace sd
