#include "ir/Verifier.h"

#include <algorithm>
#include <set>

namespace sd {

namespace {

constexpr std::string_view kConstraints[] = {
    "an operand is the result of an earlier op",
    "every op obeys its rule, and every value is the result of exactly one op",
    "nn.return is the last op, and occurs once",
    "the inputs' names differ",
    "in a lowered module, one with share ops, nn ops are those that the hospital can do: they have an opcode",
    "what share.input shares does not depend on an opened value",
    "an op's round is later than those of the ops it depends on",
};

class Verifier {
public:
  Verifier(const Module &module, Diagnostics &diagnostics, std::span<const Location> locations)
      : module_(module), diagnostics_(diagnostics), locations_(locations), defined_(module.types.size()),
        opened_(module.types.size()), rounds_(module.types.size(), -1), lowered_(isLowered(module)) {}

  void run() {
    for (std::size_t i = 0; i < module_.ops.size(); ++i)
      visit(i, module_.ops[i]);
    if (module_.ops.empty() || module_.ops.back().kind != OpKind::Return)
      report(module_.ops.size(), "V3: the module does not end with nn.return");
    if (std::ranges::count(defined_, false) > 0) report(module_.ops.size(), "V2: a value has no op that defines it");
  }

private:
  template <class... Args>
  void report(std::size_t op, fmt::format_string<Args...> format, Args &&...args) {
    std::string message = fmt::format(format, std::forward<Args>(args)...);
    if (op < locations_.size()) return diagnostics_.error(locations_[op], std::move(message));
    if (op < module_.ops.size()) {
      auto &at = module_.ops[op];
      message = fmt::format("op {} ({}{}{}): {}", op, info(at.kind).mnemonic, at.source.empty() ? "" : " from ",
                            at.source, message);
    }
    diagnostics_.error(locations_.empty() ? Location{} : Location{.file = locations_.front().file, .text = {}},
                       std::move(message));
  }

  void visit(std::size_t index, const Op &op) {
    for (auto value : op.operands)
      if (value >= defined_.size() || !defined_[value])
        return report(index, "V1: an operand is not the result of an earlier op");
    if (!checkType(index, op)) return;
    checkPlace(index, op);
    follow(index, op);
  }

  // Whether the attributes are what the op's rule says.
  bool checkType(std::size_t index, const Op &op) {
    std::vector<Type> operands;
    for (auto value : op.operands)
      operands.push_back(module_.type(value));
    const bool wantsResult = info(op.kind).hasResult();
    if (wantsResult ? op.result >= defined_.size() : op.result != kNoValue) {
      report(index, "V2: {}", wantsResult ? "the result has no type" : "the op has no result");
      return false;
    }
    const Type *declared = wantsResult ? &module_.types[op.result] : nullptr;
    const auto type = resultType(op.kind, operands, op.attrs, declared, module_.ringBits);
    if (!type)
      report(index, "{}", type.error().message);
    else if (op.kind == OpKind::ShareConstant && !op.attrs.has(Attr::Weights))
      report(index, "share.constant: G2: attribute 'weights' is missing");
    if (wantsResult) {
      if (defined_[op.result]) report(index, "V2: the result is that of an earlier op already");
      defined_[op.result] = true;
    }
    return type.has_value();
  }

  void checkPlace(std::size_t index, const Op &op) {
    if (op.kind == OpKind::Return && index + 1 != module_.ops.size()) report(index, "V3: nn.return is not the last op");
    if (op.kind == OpKind::Input && op.attrs.has(Attr::Name) && !inputs_.insert(op.attrs.str(Attr::Name)).second)
      report(index, "V4: there is an input '{}' already", op.attrs.str(Attr::Name));
    if (lowered_ && info(op.kind).opcode == 0)
      report(index, "V5: {} does not belong into a lowered module", info(op.kind).mnemonic);
  }

  void follow(std::size_t index, const Op &op) {
    bool opened = op.kind == OpKind::ShareOutput;
    std::int64_t before = -1;
    for (auto value : op.operands) {
      opened = opened || opened_[value];
      before = std::max(before, rounds_[value]);
    }
    if (op.kind == OpKind::ShareInput && opened) report(index, "V6: shares a value that depends on an opened one");
    const std::int64_t round = op.attrs.has(Attr::Round) ? op.attrs.i(Attr::Round) : -1;
    if (round >= 0 && round <= before) report(index, "V7: round {} depends on an op of round {}", round, before);
    if (op.result >= opened_.size()) return;
    opened_[op.result] = opened;
    rounds_[op.result] = std::max(before, round);
  }

  const Module &module_;
  Diagnostics &diagnostics_;
  std::span<const Location> locations_;
  std::vector<bool> defined_, opened_;
  std::vector<std::int64_t> rounds_;
  std::set<std::string_view> inputs_;
  bool lowered_;
};

} // namespace

std::span<const std::string_view> moduleConstraints() { return kConstraints; }

bool isLowered(const Module &module) {
  return std::ranges::any_of(module.ops, [](auto &op) { return info(op.kind).level == Level::Share; });
}

bool verify(const Module &module, Diagnostics &diagnostics, std::span<const Location> locations) {
  const std::size_t before = diagnostics.errors();
  Verifier(module, diagnostics, locations).run();
  return diagnostics.errors() == before;
}

Expected<void> verify(const Module &module) {
  Diagnostics diagnostics;
  if (verify(module, diagnostics)) return {};
  return fail("{}", diagnostics.all().front().message);
}

} // namespace sd
