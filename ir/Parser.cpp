#include "ir/Parser.h"

#include <unordered_map>

#include "ir/TextAttrs.h"
#include "ir/Verifier.h"

namespace sd {

namespace {

constexpr std::size_t kMaxText = std::size_t{1} << 32; // bytes
constexpr std::size_t kMaxOps = std::size_t{1} << 20;

struct Token {
  std::string_view text;
  std::size_t begin = 0, length = 1;
};

// One op as it stands on its line.
struct ParsedOp {
  std::optional<Token> result;
  Token mnemonic;
  std::vector<Token> operands;
  Op op;
  std::optional<Type> type;
};

class Parser {
public:
  Parser(std::string_view text, std::string_view file, Diagnostics &diagnostics)
      : rest_(text), file_(file), diagnostics_(diagnostics) {}

  std::optional<Module> run();

private:
  bool nextLine(); // false at the end of the text
  void header();
  bool ring(TextCursor &cursor);
  void opLine();
  bool parseOp(TextCursor &cursor, ParsedOp &parsed);
  bool parseAttrs(TextCursor &cursor, Attrs &attrs);
  std::optional<Token> valueName(TextCursor &cursor);
  void append(ParsedOp &parsed);

  Location at(std::size_t begin, std::size_t length) const {
    return {file_, lineNumber_, begin + 1, length, std::string(line_.substr(0, kMaxShownLine))};
  }
  void error(const Token &token, std::string message) {
    diagnostics_.error(at(token.begin, token.length), std::move(message));
  }
  void error(const TextCursor &cursor) {
    auto &failure = cursor.failure();
    diagnostics_.error(at(failure.begin, failure.length), failure.message);
  }

  static constexpr std::size_t kMaxShownLine = 1 << 16;

  std::string_view rest_, line_;
  std::size_t lineNumber_ = 0;
  std::string file_;
  Diagnostics &diagnostics_;
  Module module_;
  std::vector<Location> locations_;                      // by op
  std::unordered_map<std::string_view, ValueId> values_; // kNoValue: its definition failed
};

bool Parser::nextLine() {
  if (rest_.empty()) return false;
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  line_ = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  ++lineNumber_;
  return true;
}

// ['ring' bits]
bool Parser::ring(TextCursor &cursor) {
  if (!cursor.accept("ring")) return true;
  const std::size_t begin = cursor.position();
  const auto bits = cursor.integer();
  if (!bits) return false;
  if (*bits != kBitsOf<Ring32> && *bits != kBitsOf<Ring64>)
    return cursor.fail(begin, cursor.lastEnd() - begin, "a ring has 32 or 64 bits"), false;
  module_.ringBits = static_cast<int>(*bits);
  return true;
}

void Parser::header() {
  while (nextLine()) {
    TextCursor cursor(line_);
    if (cursor.atEnd()) continue;
    const std::size_t begin = cursor.position();
    if (cursor.word() != "module") {
      cursor.fail(begin, 1, "expected 'module \"name\" {'");
    } else if (auto name = cursor.string(); name && ring(cursor) && cursor.expect("{")) {
      module_.name = *std::move(name);
      if (!cursor.atEnd()) cursor.fail(cursor.position(), 1, "expected the end of the line");
    }
    if (cursor.failed()) error(cursor);
    return;
  }
  diagnostics_.error(at(0, 1), "the text is empty; expected 'module \"name\" {'");
}

std::optional<Token> Parser::valueName(TextCursor &cursor) {
  const std::size_t begin = cursor.position();
  if (!cursor.expect("%")) return std::nullopt;
  const std::size_t end = cursor.lastEnd();
  const std::string_view name = cursor.position() == end ? cursor.word() : std::string_view{};
  if (name.empty()) return cursor.fail(begin, 1, "expected a value such as %0");
  return Token{name, begin, cursor.lastEnd() - begin};
}

bool Parser::parseAttrs(TextCursor &cursor, Attrs &attrs) {
  if (!cursor.accept("{") || cursor.accept("}")) return true;
  do {
    const std::size_t begin = cursor.position();
    const std::string_view name = cursor.word();
    const AttrInfo *known = findAttr(name);
    if (!known) {
      cursor.fail(begin, name.size(), fmt::format("there is no attribute '{}'", name));
      return false;
    }
    if (attrs.has(known->attr)) {
      cursor.fail(begin, name.size(), fmt::format("attribute '{}' occurs twice", name));
      return false;
    }
    if (!cursor.expect("=")) return false;
    auto value = parseValue(cursor, known->kind);
    if (!value) return false;
    attrs.set(known->attr, *std::move(value));
  } while (cursor.accept(","));
  return cursor.expect("}");
}

// [%result =] mnemonic [%operand, ...] [{attributes}] [: type] [loc("source")]
bool Parser::parseOp(TextCursor &cursor, ParsedOp &parsed) {
  cursor.position();
  if (cursor.accept("%")) {
    const std::size_t begin = cursor.lastEnd() - 1;
    const std::string_view name = cursor.word();
    if (name.empty()) return cursor.fail(begin, 1, "expected a value such as %0"), false;
    parsed.result = Token{name, begin, cursor.lastEnd() - begin};
    if (!cursor.expect("=")) return false;
  }
  const std::size_t begin = cursor.position();
  const std::string_view mnemonic = cursor.word();
  parsed.mnemonic = {mnemonic, begin, std::max<std::size_t>(mnemonic.size(), 1)};
  const OpInfo *op = findOp(mnemonic);
  if (!op)
    return cursor.fail(begin, mnemonic.size(),
                       mnemonic.empty() ? "expected an op" : fmt::format("there is no op '{}'", mnemonic)),
           false;
  parsed.op.kind = op->kind;
  if (!cursor.atEnd() && line_[cursor.position()] == '%') {
    do {
      auto operand = valueName(cursor);
      if (!operand) return false;
      parsed.operands.push_back(*operand);
    } while (cursor.accept(","));
  }
  if (!parseAttrs(cursor, parsed.op.attrs)) return false;
  if (cursor.accept(":")) {
    parsed.type = cursor.type();
    if (!parsed.type) return false;
  }
  if (cursor.accept("loc")) {
    if (!cursor.expect("(")) return false;
    auto source = cursor.string();
    if (!source || !cursor.expect(")")) return false;
    parsed.op.source = *std::move(source);
  }
  if (!cursor.atEnd()) return cursor.fail(cursor.position(), 1, "expected the end of the line"), false;
  return true;
}

// Checks what is said of values, and the op's rule; on an error the result counts as unknown, and its users are let be.
void Parser::append(ParsedOp &parsed) {
  const OpInfo &op = info(parsed.op.kind);
  const std::size_t before = diagnostics_.errors();
  bool known = true;
  std::vector<Type> operands;
  for (auto &token : parsed.operands) {
    auto it = values_.find(token.text);
    if (it == values_.end()) error(token, fmt::format("%{} is not defined by an earlier line", token.text));
    if (it == values_.end() || it->second == kNoValue) {
      known = false;
      continue;
    }
    parsed.op.operands.push_back(it->second);
    operands.push_back(module_.type(it->second));
  }
  if (op.hasResult() != parsed.result.has_value())
    error(parsed.mnemonic, op.hasResult()
                               ? fmt::format("{} gives a result: write '%name = {}'", op.mnemonic, op.mnemonic)
                               : fmt::format("{} gives no result", op.mnemonic));
  if (parsed.result && values_.contains(parsed.result->text)) {
    error(*parsed.result, fmt::format("%{} is defined already", parsed.result->text));
    return;
  }
  if (known && op.kind == OpKind::ShareConstant && !parsed.op.attrs.has(Attr::Weights))
    error(parsed.mnemonic, "share.constant: G2: attribute 'weights' is missing");
  Expected<Type> type = Type{};
  if (known)
    type = resultType(op.kind, operands, parsed.op.attrs, parsed.type ? &*parsed.type : nullptr, module_.ringBits);
  if (!type) error(parsed.mnemonic, type.error().message);
  const bool good = known && diagnostics_.errors() == before;
  if (op.hasResult() && parsed.result) {
    values_[parsed.result->text] = good ? static_cast<ValueId>(module_.types.size()) : kNoValue;
    if (good) {
      parsed.op.result = static_cast<ValueId>(module_.types.size());
      module_.types.push_back(*std::move(type));
    }
  }
  if (!good) return;
  module_.ops.push_back(std::move(parsed.op));
  locations_.push_back(at(parsed.mnemonic.begin, parsed.mnemonic.length));
}

void Parser::opLine() {
  TextCursor cursor(line_);
  if (cursor.atEnd()) return;
  ParsedOp parsed;
  if (parseOp(cursor, parsed)) return append(parsed);
  error(cursor);
  if (parsed.result) values_.try_emplace(parsed.result->text, kNoValue);
}

std::optional<Module> Parser::run() {
  const std::size_t before = diagnostics_.errors();
  if (rest_.size() > kMaxText) {
    diagnostics_.error({.file = file_, .text = {}}, "the text is larger than 4 GiB");
    return std::nullopt;
  }
  header();
  bool closed = false;
  while (nextLine()) {
    TextCursor cursor(line_);
    if (cursor.atEnd()) continue;
    if (closed) {
      diagnostics_.error(at(cursor.position(), 1), "expected nothing after the module's '}'");
      break;
    }
    if (cursor.accept("}")) {
      closed = true;
      if (!cursor.atEnd()) diagnostics_.error(at(cursor.position(), 1), "expected the end of the line");
      continue;
    }
    if (module_.ops.size() >= kMaxOps) {
      diagnostics_.error(at(cursor.position(), 1), fmt::format("a module has at most {} ops", kMaxOps));
      break;
    }
    opLine();
  }
  if (!closed && diagnostics_.errors() == before) diagnostics_.error(at(line_.size(), 1), "expected '}'");
  if (diagnostics_.errors() > before || !verify(module_, diagnostics_, locations_)) return std::nullopt;
  return std::move(module_);
}

} // namespace

std::optional<Module> parse(std::string_view text, std::string_view file, Diagnostics &diagnostics) {
  return Parser(text, file, diagnostics).run();
}

} // namespace sd
