#include "ir/bytecode/Writer.h"

#include <algorithm>

#include "ir/bytecode/Format.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/SchemaJson.h"
#include "ir/bytecode/Verify.h"

namespace sd {

namespace {

using format::Section;

void putShape(ByteWriter &out, const Shape &shape) {
  out.put(static_cast<std::uint8_t>(shape.size()));
  for (auto d : shape)
    out.put(static_cast<std::uint32_t>(d));
}

struct ValueWriter {
  ByteWriter &out;

  void operator()(std::int64_t value) const { out.put(value); }
  void operator()(double value) const { out.putDouble(value); }
  void operator()(const std::string &value) const { out.putString(value); }
  void operator()(const std::vector<std::int64_t> &values) const {
    out.put(static_cast<std::uint32_t>(values.size()));
    for (auto v : values)
      out.put(v);
  }
  void operator()(const std::vector<std::string> &values) const {
    out.put(static_cast<std::uint32_t>(values.size()));
    for (const auto &v : values)
      out.putString(v);
  }
  void operator()(const Floats32 &tensor) const {
    putShape(out, tensor->shape);
    for (auto v : tensor->data)
      out.putFloat(v);
  }
  void operator()(const Ints64 &) const { assert(false && "no program holds weights"); }
};

void putInstruction(ByteWriter &out, const Instruction &it) {
  out.put(info(it.op).opcode);
  if (info(it.op).hasResult()) out.put(it.result);
  out.put(static_cast<std::uint16_t>(it.operands.size()));
  for (SlotId operand : it.operands)
    out.put(operand);
  out.put(static_cast<std::uint16_t>(it.attrs.size()));
  for (const auto &[attr, value] : it.attrs) {
    out.put(static_cast<std::uint16_t>(attr));
    out.put(static_cast<std::uint8_t>(kindOf(value)));
    std::visit(ValueWriter{out}, value);
  }
}

void putPorts(ByteWriter &out, const std::vector<Port> &ports) {
  for (const Port &port : ports) {
    out.putString(port.name);
    out.put(port.slot);
  }
}

class ProgramWriter {
public:
  explicit ProgramWriter(const Program &program) : program_(program), io_(ioOf(program)) {}

  std::vector<std::uint8_t> content() {
    for (auto section : {Section::Totals, Section::Io, Section::Slots, Section::Instructions, Section::Groups,
                         Section::Sources, Section::Schema}) {
      if (section == Section::Schema && program_.formatVersion == 1) continue;
      ByteWriter payload;
      put(payload, section);
      content_.put(static_cast<std::uint32_t>(section));
      content_.put(std::uint64_t{payload.size()});
      content_.putBytes(payload.bytes());
    }
    return content_.take();
  }

private:
  void put(ByteWriter &out, Section section) {
    switch (section) {
    case Section::Totals:
      out.putString(program_.name);
      for (std::size_t count : {program_.slots.size(), program_.instructions.size(), program_.groups.size(),
                                io_.inputs.size(), io_.outputs.size()})
        out.put(static_cast<std::uint32_t>(count));
      break;
    case Section::Io:
      putPorts(out, io_.inputs);
      putPorts(out, io_.outputs);
      out.put(io_.bodyBegin);
      out.put(io_.bodyEnd);
      break;
    case Section::Slots:
      for (const Type &type : program_.slots) {
        out.put(format::holderNumber(type.holder));
        out.put(static_cast<std::int8_t>(type.scale));
        putShape(out, type.shape);
      }
      break;
    case Section::Instructions:
      for (const auto &it : program_.instructions)
        putInstruction(out, it);
      break;
    case Section::Groups:
      for (const Group &group : program_.groups) {
        out.put(group.end - group.begin);
        out.put(static_cast<std::uint8_t>(group.interactive));
      }
      break;
    case Section::Sources:
      for (const auto &it : program_.instructions)
        out.putString(it.source);
      break;
    case Section::Schema: {
      const std::string json = toJson(program_.schema);
      out.putBytes({reinterpret_cast<const std::uint8_t *>(json.data()), json.size()});
      break;
    }
    }
  }

  const Program &program_;
  ProgramIo io_;
  ByteWriter content_;
};

void putPrefix(ByteWriter &out, const format::Magic &magic, std::uint16_t version, int ringBits,
               std::size_t contentBytes) {
  out.putBytes(magic);
  out.put(version);
  out.put(static_cast<std::uint16_t>(ringBits));
  out.put(std::uint32_t{0});
  out.put(std::uint64_t{contentBytes});
}

template <class Stored, class Integer>
bool fits(const Tensor<Integer> &tensor) {
  return std::ranges::all_of(tensor.data, [](Integer v) { return v == static_cast<Stored>(v); });
}

template <class Stored, class Integer>
void putValues(ByteWriter &out, const Tensor<Integer> &tensor) {
  out.put(static_cast<std::uint8_t>(sizeof(Stored)));
  putShape(out, tensor.shape);
  for (Integer v : tensor.data)
    out.put(static_cast<Stored>(v));
}

// The least that holds every value: 1, 2, 4 or 8 bytes.
template <class Integer>
std::size_t widthOf(const Tensor<Integer> &tensor) {
  return fits<std::int8_t>(tensor) ? 1 : fits<std::int16_t>(tensor) ? 2 : fits<std::int32_t>(tensor) ? 4 : 8;
}

template <class Integer>
void putTensor(ByteWriter &out, const Tensor<Integer> &tensor) {
  switch (widthOf(tensor)) {
  case 1:
    return putValues<std::int8_t>(out, tensor);
  case 2:
    return putValues<std::int16_t>(out, tensor);
  case 4:
    return putValues<std::int32_t>(out, tensor);
  default:
    return putValues<std::int64_t>(out, tensor);
  }
}

template <RingWord R>
Expected<std::vector<std::uint8_t>> write(const WeightSet<R> &weights, const Program &program) {
  if (program.ringBits != kBitsOf<R>)
    return fail("weights in a ring of {} bits, and the program's has {}", kBitsOf<R>, program.ringBits);
  std::size_t contentBytes = sizeof(std::uint32_t);
  for (const auto &tensor : weights.tensors) // width, rank, extents, values
    contentBytes += 2 + 4 * tensor.shape.size() + widthOf(tensor) * tensor.data.size();
  ByteWriter out; // the only copy: weights are most of what a compilation holds
  putPrefix(out, format::kWeightsMagic, format::kWeightsVersion, program.ringBits, contentBytes);
  out.putBytes(weights.program);
  const std::size_t digestAt = out.size();
  out.putBytes(Digest{}); // to be filled in
  const std::size_t contentAt = out.size();
  out.put(static_cast<std::uint32_t>(weights.tensors.size()));
  std::size_t next = 0;
  for (const auto &it : program.instructions) {
    if (it.op != OpKind::ShareConstant) continue;
    if (next == weights.tensors.size()) return fail("the program names more weights than the {} given", next);
    const auto &tensor = weights.tensors[next];
    const Shape &wanted = program.slots[it.result].shape;
    if (tensor.shape != wanted)
      return fail("weight tensor {} is {}, and the program wants {}", next, toString(tensor.shape), toString(wanted));
    putTensor(out, tensor);
    ++next;
  }
  if (next != weights.tensors.size())
    return fail("{} weight tensors are given, and the program names {}", weights.tensors.size(), next);
  assert(out.size() == contentAt + contentBytes);
  std::vector<std::uint8_t> bytes = out.take();
  const Bytes all(bytes);
  std::ranges::copy(sha256({all.first(digestAt), all.subspan(contentAt)}), bytes.begin() + digestAt);
  return bytes;
}

} // namespace

Expected<std::vector<std::uint8_t>> writeProgram(const Program &program) {
  SD_TRY(verifyProgram(program));
  for (const auto &it : program.instructions) {
    if (it.operands.size() > format::kMaxStrings)
      return fail("an instruction has {} operands; at most {} are allowed", it.operands.size(), format::kMaxStrings);
    for (const auto &[attr, value] : it.attrs) {
      const auto *ints = std::get_if<std::vector<std::int64_t>>(&value);
      if (ints && ints->size() > format::kMaxListLength)
        return fail("attribute '{}' has {} entries; at most {} are allowed", findAttr(attr)->text, ints->size(),
                    format::kMaxListLength);
    }
  }
  const std::vector<std::uint8_t> content = ProgramWriter(program).content();
  if (content.size() > format::kMaxProgramBytes - format::kProgramHeaderBytes)
    return fail("the program has {} bytes; at most {} are allowed", content.size(), format::kMaxProgramBytes);
  ByteWriter out;
  putPrefix(out, format::kProgramMagic, program.formatVersion, program.ringBits, content.size());
  out.putBytes(sha256({out.bytes(), content}));
  out.putBytes(content);
  return out.take();
}

Expected<std::vector<std::uint8_t>> writeWeights(const AnyWeightSet &weights, const Program &program) {
  return std::visit([&](const auto &set) { return write(set, program); }, weights);
}

} // namespace sd
