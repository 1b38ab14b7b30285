#include "ir/bytecode/Reader.h"

#include <algorithm>
#include <bit>

#include "ir/bytecode/File.h"
#include "ir/bytecode/Format.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/SchemaJson.h"
#include "ir/bytecode/Verify.h"
#include "ir/bytecode/VersionOne.h"

namespace sd {

namespace {

using format::Section;

struct FileKind {
  const format::Magic &magic;
  std::size_t headerBytes;
  std::uint64_t maxBytes;
  std::uint16_t leastVersion, version; // that are read
  std::string_view name;
};

constexpr FileKind kProgramFile{format::kProgramMagic,        format::kProgramHeaderBytes, format::kMaxProgramBytes,
                                format::kLeastProgramVersion, format::kProgramVersion,     "a compiled program (.sdb)"};
constexpr FileKind kWeightsFile{format::kWeightsMagic,   format::kWeightsHeaderBytes, format::kMaxWeightsBytes,
                                format::kWeightsVersion, format::kWeightsVersion,     "a weights file (.sdw)"};

struct Content {
  Bytes bytes;
  std::uint16_t version;
  int ringBits;
};

// The content of a file of that kind, after its header's fields but not its digest are checked.
Expected<Content> contentOf(Bytes bytes, const FileKind &kind) {
  if (bytes.size() < kind.magic.size() || !std::ranges::equal(bytes.first(kind.magic.size()), kind.magic))
    return fail("this is not {}: it does not begin with the right eight bytes", kind.name);
  if (bytes.size() > kind.maxBytes)
    return fail("{} of {} bytes; at most {} are allowed", kind.name, bytes.size(), kind.maxBytes);
  ByteReader in(bytes.subspan(kind.magic.size()), kind.magic.size());
  SD_ASSIGN(const auto version, in.get<std::uint16_t>("the format version"));
  if (version < kind.leastVersion || version > kind.version)
    return fail("format version {}; this release reads version {}{}: {}", version,
                kind.leastVersion < kind.version ? fmt::format("{} to ", kind.leastVersion) : "", kind.version,
                version > kind.version ? "take a newer release, or compile the model again with this one"
                                       : "compile the model again");
  SD_ASSIGN(const auto ring, in.get<std::uint16_t>("the ring's width"));
  if (!isRingBits(ring))
    return fail("a ring of {} bits; this build computes with {} or {}", ring, kBitsOf<Ring32>, kBitsOf<Ring64>);
  SD_ASSIGN(const auto flags, in.get<std::uint32_t>("the flags"));
  if (flags != 0) return fail("unknown flags {:#x}", flags);
  SD_ASSIGN(const auto length, in.get<std::uint64_t>("the content's length"));
  SD_TRY(in.take(kind.headerBytes - format::kPrefixBytes, "the digest"));
  if (length > in.left())
    return fail("the content is {} bytes long, and {} are there: the file is cut off", length, in.left());
  if (length < in.left()) return fail("{} bytes too many after the content", in.left() - length);
  return Content{bytes.subspan(kind.headerBytes), version, ring};
}

Expected<Shape> getShape(ByteReader &in, std::string_view what) {
  SD_ASSIGN(const auto rank, in.get<std::uint8_t>(what));
  if (rank > kMaxRank)
    return fail("byte {}: {} has {} dimensions; at most {} are supported", in.offset() - 1, what, rank, kMaxRank);
  Shape shape(rank);
  for (auto &d : shape) {
    SD_ASSIGN(d, in.get<std::uint32_t>(what));
  }
  SD_TRY(checkedElementCount(shape));
  return shape;
}

class ProgramReader {
public:
  explicit ProgramReader(const Content &content) : in_(content.bytes, format::kProgramHeaderBytes) {
    program_.formatVersion = content.version;
    program_.ringBits = content.ringBits;
  }

  Expected<Program> run() {
    SD_TRY(section(Section::Totals, "the totals", &ProgramReader::totals));
    SD_TRY(section(Section::Io, "the table of inputs and outputs", &ProgramReader::ports));
    SD_TRY(section(Section::Slots, "the slot table", &ProgramReader::slots));
    SD_TRY(section(Section::Instructions, "the instructions", &ProgramReader::instructions));
    SD_TRY(section(Section::Groups, "the group table", &ProgramReader::groups));
    SD_TRY(section(Section::Sources, "the source names", &ProgramReader::sources));
    if (program_.formatVersion > 1) SD_TRY(section(Section::Schema, "the schema", &ProgramReader::schema));
    SD_TRY(in_.end("the file"));
    if (program_.formatVersion == 1) giveSchedules(program_);
    SD_TRY(verifyProgram(program_));
    if (ioOf(program_) != io_) return fail("the table of inputs and outputs does not agree with the instructions");
    return std::move(program_);
  }

private:
  Expected<void> section(Section wanted, std::string_view what, Expected<void> (ProgramReader::*body)(ByteReader &)) {
    SD_ASSIGN(const auto id, in_.get<std::uint32_t>(what));
    if (id != static_cast<std::uint32_t>(wanted))
      return fail("byte {}: section {} where {} (section {}) was due", in_.offset() - 4, id, what,
                  static_cast<std::uint32_t>(wanted));
    SD_ASSIGN(const auto length, in_.get<std::uint64_t>(what));
    const std::size_t base = in_.offset();
    SD_ASSIGN(const Bytes payload, in_.take(length, what));
    ByteReader inner(payload, base);
    SD_TRY((this->*body)(inner));
    return inner.end(what);
  }

  Expected<void> totals(ByteReader &in) {
    SD_ASSIGN(program_.name, in.getString("the program's name"));
    const auto total = [&](std::uint32_t &count, std::uint32_t limit, std::string_view what) -> Expected<void> {
      SD_ASSIGN(count, in.get<std::uint32_t>(what));
      if (count > limit) return fail("byte {}: {} {}; at most {} are allowed", in.offset() - 4, count, what, limit);
      return {};
    };
    SD_TRY(total(slotCount_, format::kMaxSlots, "slots"));
    SD_TRY(total(instructionCount_, format::kMaxInstructions, "instructions"));
    SD_TRY(total(groupCount_, format::kMaxInstructions, "groups"));
    SD_TRY(total(inputCount_, format::kMaxSlots, "inputs"));
    return total(outputCount_, format::kMaxStrings, "outputs");
  }

  // A total is believed only if the section that holds its items is long enough for them.
  static Expected<void> room(const ByteReader &in, std::uint32_t count, std::size_t itemBytes, std::string_view what) {
    if (count > in.left() / itemBytes)
      return fail("byte {}: the totals claim {} {}, and their section has {} bytes", in.offset(), count, what,
                  in.left());
    return {};
  }

  Expected<void> ports(ByteReader &in) {
    for (auto *list : {&io_.inputs, &io_.outputs}) {
      const std::uint32_t count = list == &io_.inputs ? inputCount_ : outputCount_;
      SD_TRY(room(in, count, 8, "inputs or outputs"));
      for (std::uint32_t i = 0; i < count; ++i) {
        Port port;
        SD_ASSIGN(port.name, in.getString("the name of an input or output"));
        SD_ASSIGN(port.slot, in.get<std::uint32_t>("the slot of an input or output"));
        list->push_back(std::move(port));
      }
    }
    SD_ASSIGN(io_.bodyBegin, in.get<std::uint32_t>("the first secure instruction"));
    SD_ASSIGN(io_.bodyEnd, in.get<std::uint32_t>("the end of the secure part"));
    return {};
  }

  Expected<void> slots(ByteReader &in) {
    SD_TRY(room(in, slotCount_, 3, "slots"));
    program_.slots.resize(slotCount_);
    for (Type &type : program_.slots) {
      SD_ASSIGN(const auto holder, in.get<std::uint8_t>("a slot's holder"));
      if (holder > format::holderNumber(Holder::Share))
        return fail("byte {}: holder {} does not exist", in.offset() - 1, holder);
      type.holder = static_cast<Holder>(holder);
      SD_ASSIGN(type.scale, in.get<std::int8_t>("a slot's scale"));
      SD_ASSIGN(type.shape, getShape(in, "a slot's shape"));
    }
    return {};
  }

  Expected<void> instructions(ByteReader &in) {
    SD_TRY(room(in, instructionCount_, 5, "instructions"));
    program_.instructions.resize(instructionCount_);
    for (std::size_t i = 0; i < instructionCount_; ++i) {
      if (auto read = instruction(in, program_.instructions[i]); !read)
        return failAs(read.error(), "instruction {}: {}", i, read.error().message);
    }
    return {};
  }

  static Expected<void> instruction(ByteReader &in, Instruction &it) {
    SD_ASSIGN(const auto opcode, in.get<std::uint8_t>("an opcode"));
    const OpInfo *op = findOpcode(opcode);
    if (!op) return fail("byte {}: opcode {} does not exist", in.offset() - 1, opcode);
    it.op = op->kind;
    if (op->hasResult()) {
      SD_ASSIGN(it.result, in.get<std::uint32_t>("a result's slot"));
    }
    SD_ASSIGN(const auto operands, in.get<std::uint16_t>("the number of operands"));
    SD_TRY(room(in, operands, 4, "operands"));
    it.operands.resize(operands);
    for (SlotId &operand : it.operands) {
      SD_ASSIGN(operand, in.get<std::uint32_t>("an operand's slot"));
    }
    SD_ASSIGN(const auto attrs, in.get<std::uint16_t>("the number of attributes"));
    std::uint32_t previous = 0;
    for (std::uint32_t i = 0; i < attrs; ++i) {
      SD_ASSIGN(const auto id, in.get<std::uint16_t>("an attribute"));
      if (id <= previous) return fail("byte {}: attribute {} after attribute {}", in.offset() - 2, id, previous);
      previous = id;
      const AttrInfo *known = findAttr(static_cast<Attr>(id));
      if (!known) return fail("byte {}: attribute {} does not exist", in.offset() - 2, id);
      SD_ASSIGN(const auto kind, in.get<std::uint8_t>("an attribute's kind"));
      if (kind != static_cast<std::uint8_t>(known->kind))
        return fail("byte {}: attribute '{}' of kind {}", in.offset() - 1, known->text, kind);
      SD_ASSIGN(AttrValue read, value(in, known->kind, known->text));
      it.attrs.set(known->attr, std::move(read));
    }
    return {};
  }

  static Expected<AttrValue> value(ByteReader &in, AttrKind kind, std::string_view what) {
    switch (kind) {
    case AttrKind::Int:
      return in.get<std::int64_t>(what);
    case AttrKind::Float:
      return in.getDouble(what);
    case AttrKind::String:
      return in.getString(what);
    case AttrKind::Ints: {
      SD_ASSIGN(const auto count, in.getCount(format::kMaxListLength, 8, what));
      std::vector<std::int64_t> values(count);
      for (auto &v : values) {
        SD_ASSIGN(v, in.get<std::int64_t>(what));
      }
      return values;
    }
    case AttrKind::Strings: {
      SD_ASSIGN(const auto count, in.getCount(format::kMaxStrings, 4, what));
      std::vector<std::string> values(count);
      for (auto &v : values) {
        SD_ASSIGN(v, in.getString(what));
      }
      return values;
    }
    case AttrKind::Floats32: {
      SD_ASSIGN(Shape shape, getShape(in, what));
      const auto count = static_cast<std::uint64_t>(elementCount(shape));
      if (count > in.left() / 4)
        return fail("byte {}: '{}' has {} elements, and only {} bytes follow", in.offset(), what, count, in.left());
      std::vector<float> data(count);
      for (auto &v : data) {
        SD_ASSIGN(v, in.getFloat(what));
      }
      return std::make_shared<const Tensor<float>>(std::move(shape), std::move(data));
    }
    case AttrKind::Ints64:
      break;
    }
    return fail("byte {}: attribute '{}' does not occur in programs", in.offset(), what);
  }

  Expected<void> groups(ByteReader &in) {
    SD_TRY(room(in, groupCount_, 5, "groups"));
    std::uint32_t next = 0;
    for (std::uint32_t g = 0; g < groupCount_; ++g) {
      SD_ASSIGN(const auto count, in.get<std::uint32_t>("a group's size"));
      SD_ASSIGN(const auto interactive, in.get<std::uint8_t>("a group's kind"));
      if (count > instructionCount_ - next || interactive > 1)
        return fail("byte {}: group {} of {} instructions and kind {}", in.offset() - 5, g, count, interactive);
      program_.groups.push_back({next, next + count, interactive == 1});
      next += count;
    }
    return {};
  }

  Expected<void> sources(ByteReader &in) {
    for (auto &it : program_.instructions) {
      SD_ASSIGN(it.source, in.getString("a source name"));
    }
    return {};
  }

  Expected<void> schema(ByteReader &in) {
    const std::size_t start = in.offset();
    SD_ASSIGN(const Bytes text, in.take(in.left(), "the schema"));
    auto read = parseProgramSchema({reinterpret_cast<const char *>(text.data()), text.size()});
    if (!read) return failAs(read.error(), "byte {}: the schema: {}", start, read.error().message);
    program_.schema = *std::move(read);
    return {};
  }

  ByteReader in_;
  Program program_;
  ProgramIo io_;
  std::uint32_t slotCount_ = 0, instructionCount_ = 0, groupCount_ = 0, inputCount_ = 0, outputCount_ = 0;
};

template <RingWord R>
Expected<Tensor<SignedOf<R>>> getTensor(ByteReader &in, const Shape &wanted) {
  SD_ASSIGN(const auto width, in.get<std::uint8_t>("a weight's width"));
  if (!std::has_single_bit(width) || width > sizeof(R))
    return fail("byte {}: weights of {} bytes", in.offset() - 1, width);
  SD_ASSIGN(Shape shape, getShape(in, "the shape of weights"));
  if (shape != wanted)
    return fail("byte {}: weights of shape {} where the program wants {}", in.offset(), toString(shape),
                toString(wanted));
  const auto count = static_cast<std::uint64_t>(elementCount(shape));
  SD_ASSIGN(const Bytes raw, in.take(count * width, "the weights"));
  Tensor<SignedOf<R>> tensor(std::move(shape));
  ByteReader values(raw);
  const auto fill = [&]<class Stored>(Stored) {
    for (auto &v : tensor.data)
      v = static_cast<SignedOf<R>>(*values.get<Stored>(""));
  };
  if (width == 1)
    fill(std::int8_t{});
  else if (width == 2)
    fill(std::int16_t{});
  else if (width == 4)
    fill(std::int32_t{});
  else
    fill(std::int64_t{});
  return tensor;
}

} // namespace

Expected<Program> readProgram(Bytes bytes) {
  SD_ASSIGN(const Content content, contentOf(bytes, kProgramFile));
  if (!std::ranges::equal(digestOf(bytes), bytes.subspan(format::kPrefixBytes, format::kDigestBytes)))
    return fail("the content does not match its digest: the file is corrupt");
  return ProgramReader(content).run();
}

template <RingWord R>
Expected<WeightSet<R>> readWeights(Bytes bytes, const Program &program, const Digest &digest) {
  assert(program.ringBits == kBitsOf<R>);
  SD_ASSIGN(const Content content, contentOf(bytes, kWeightsFile));
  constexpr std::size_t kSignedHeader = format::kPrefixBytes + format::kDigestBytes;
  if (!std::ranges::equal(sha256({bytes.first(kSignedHeader), content.bytes}),
                          bytes.subspan(kSignedHeader, format::kDigestBytes)))
    return fail("the weights do not match their digest: the file is corrupt");
  WeightSet<R> weights;
  std::ranges::copy(bytes.subspan(format::kPrefixBytes, format::kDigestBytes), weights.program.begin());
  if (weights.program != digest)
    return fail("these weights belong to another program (digest {:.16}..., and the program has {:.16}...): take the "
                ".sdw that was written with the .sdb",
                toHex(weights.program), toHex(digest));
  if (content.ringBits != program.ringBits)
    return fail("weights in a ring of {} bits, and the program's has {}", content.ringBits, program.ringBits);
  ByteReader in(content.bytes, format::kWeightsHeaderBytes);
  SD_ASSIGN(const auto count, in.get<std::uint32_t>("the number of weight tensors"));
  for (const auto &it : program.instructions) {
    if (it.op != OpKind::ShareConstant) continue;
    if (weights.tensors.size() == count) return fail("{} weight tensors, and the program wants more", count);
    SD_ASSIGN(auto tensor, getTensor<R>(in, program.slots[it.result].shape));
    weights.tensors.push_back(std::move(tensor));
  }
  if (weights.tensors.size() != count)
    return fail("{} weight tensors, and the program wants {}", count, weights.tensors.size());
  SD_TRY(in.end("the weights"));
  return weights;
}
template Expected<WeightSet<Ring32>> readWeights(Bytes, const Program &, const Digest &);
template Expected<WeightSet<Ring64>> readWeights(Bytes, const Program &, const Digest &);

Expected<LoadedProgram> readProgramFile(const std::string &path) {
  SD_ASSIGN(const auto bytes, readFile(path, format::kMaxProgramBytes));
  auto program = readProgram(bytes);
  if (!program) return failAs(program.error(), "{}: {}", path, program.error().message);
  return LoadedProgram{*std::move(program), digestOf(bytes)};
}

template <RingWord R>
Expected<WeightSet<R>> readWeightsFile(const std::string &path, const LoadedProgram &program) {
  SD_ASSIGN(const auto bytes, readFile(path, format::kMaxWeightsBytes));
  auto weights = readWeights<R>(bytes, program.program, program.digest);
  if (!weights) return failAs(weights.error(), "{}: {}", path, weights.error().message);
  return *std::move(weights);
}
template Expected<WeightSet<Ring32>> readWeightsFile(const std::string &, const LoadedProgram &);
template Expected<WeightSet<Ring64>> readWeightsFile(const std::string &, const LoadedProgram &);

} // namespace sd
