"""names.py ROOT: holds that no name is declared in two headers of one namespace.

Two inline definitions of one name are one symbol to the linker, which takes either: what a program does then depends on
who includes what, and on the optimiser. Types, aliases, constants and variables count by name; functions by name and
parameter types, as overloads may live in several headers. Types that a source file defines outside an anonymous
namespace count too.
"""
import os
import re
import sys

TOPS = ["ir", "passes", "compiler", "runtime", "tools"]
TOKEN = re.compile(r"[A-Za-z_]\w*|::|->|&&|\.\.\.|\d[\w.']*|\S")
OPENS, CLOSES = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}


def stripped(text):
    """Without comments, strings and preprocessor lines."""
    text = re.sub(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/|(?<!\w)\'(?:\\.|[^\'\\\n])+\'',
                  lambda m: " " if m[0].startswith("/") else " 0 ", text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)


def skipGroup(tokens, at):
    """The index after the bracket that closes tokens[at]."""
    depth = 0
    while at < len(tokens):
        depth += (tokens[at] in OPENS) - (tokens[at] in CLOSES)
        at += 1
        if depth == 0:
            break
    return at


def skipAngles(tokens, at):
    """The index after the '>' that closes tokens[at] == '<'."""
    depth = 0
    while at < len(tokens):
        if tokens[at] in OPENS:
            at = skipGroup(tokens, at)
            continue
        depth += (tokens[at] == "<") - (tokens[at] == ">")
        at += 1
        if depth == 0:
            break
    return at


def parameters(tokens):
    """The types of a parameter list, without names and defaults: what overloads differ in."""
    types, current, at = [], [], 0
    while at <= len(tokens):
        token = tokens[at] if at < len(tokens) else ","
        if token == "<":
            end = skipAngles(tokens, at)
            current += tokens[at:end]
            at = end
        elif token == "," or token == "=":
            if len(current) > 1 and re.match(r"[a-z]\w*$", current[-1]) and current[-2] not in ("::", "const"):
                current.pop()  # the parameter's name
            if current:
                types.append(" ".join(current))
            current = []
            while token == "=" and at < len(tokens) and tokens[at] != ",":
                at = skipGroup(tokens, at) if tokens[at] in OPENS else at + 1
            at += 1
        else:
            end = skipGroup(tokens, at) if token in OPENS else at + 1
            current += tokens[at:end]
            at = end
    return ", ".join(types)


def declaredName(statement, body):
    """(name, is a type) of one declaration at namespace scope, or None; `body`: a brace follows."""
    at, specialised = 0, False
    while at < len(statement) and statement[at] == "template":
        if at + 1 >= len(statement) or statement[at + 1] != "<":
            return None  # an explicit instantiation
        end = skipAngles(statement, at + 1)
        specialised |= end == at + 3
        at = end
    if at < len(statement) and statement[at] == "requires":
        while at < len(statement) and statement[at] not in ("struct", "class", "using", "inline", "constexpr", "void"):
            at += 1
    rest = statement[at:]
    if not rest or specialised or rest[0] in ("friend", "extern", "static_assert", "using") and rest[1:2] == ["namespace"]:
        return None
    if rest[0] in ("static_assert", "extern"):
        return None
    if rest[0] in ("struct", "class", "union", "enum", "concept"):
        names = [t for t in rest[1:] if t not in ("class", "struct", "final")]
        head = names[:1]
        if rest[0] == "concept":
            return (head[0], True)
        if not body or (len(names) > 1 and names[1] not in (":",)):
            return None  # a forward declaration, a specialisation or a member type
        return (head[0], True)
    if rest[0] == "using":
        return (rest[1], True) if "=" in rest[:3] else None
    index = 0
    previous = None
    while index < len(rest):
        token = rest[index]
        if token == "<" and previous != "operator":
            index = skipAngles(rest, index)
            continue
        if token == "[" and rest[index + 1:index + 2] == ["["]:
            index = skipGroup(rest, index)
            continue
        if token == "(" and previous and re.match(r"[A-Za-z_]\w*$", previous) and previous not in ("alignas", "decltype", "requires"):
            if index >= 2 and rest[index - 2] == "::" or "operator" in rest[:index]:
                return None  # a member's definition, or an operator
            return (f"{previous}({parameters(rest[index + 1:skipGroup(rest, index) - 1])})", False)
        if token == "(":
            index = skipGroup(rest, index)
            continue
        if token == "=":
            break
        previous = token
        index += 1
    if previous and re.match(r"[A-Za-z_]\w*$", previous) and (index < len(rest) or body or len(rest) > 1):
        return (previous, True) if rest[0] != "}" else None
    return None


def declarations(text):
    """Yields (namespace, name, is a type or variable, is in an anonymous namespace)."""
    tokens = TOKEN.findall(stripped(text))
    spaces, start, at = [], 0, 0
    while at < len(tokens):
        token = tokens[at]
        if token == "}":
            spaces = spaces[:-1]
            at += 1
            start = at
        elif token == ";" or token == "{":
            statement = tokens[start:at]
            if token == "{" and statement[:1] in (["namespace"], ["extern"]) or statement[:2] == ["inline", "namespace"]:
                spaces.append("".join(statement[statement.index("namespace") + 1:]) if "namespace" in statement else "")
                at += 1
                start = at
                continue
            name = declaredName(statement, token == "{")
            if name:
                yield "::".join(spaces), name[0], name[1], "" in spaces
            if token == "{":
                at = skipGroup(tokens, at)
                if at < len(tokens) and tokens[at] == ";":
                    at += 1
                elif statement and "=" in statement or (at < len(tokens) and tokens[at] == ","):
                    while at < len(tokens) and tokens[at] != ";":
                        at = skipGroup(tokens, at) if tokens[at] in OPENS else at + 1
                    at += 1
            else:
                at += 1
            start = at
        elif token in OPENS:
            at = skipGroup(tokens, at)
        else:
            at += 1


def main(root):
    seen, count = {}, 0
    for top in TOPS:
        for folder, _, files in sorted(os.walk(os.path.join(root, top))):
            for file in sorted(files):
                if not file.endswith((".h", ".cpp")):
                    continue
                path = os.path.relpath(os.path.join(folder, file), root)
                for space, name, named, anonymous in declarations(open(os.path.join(root, path), encoding="utf-8").read()):
                    if anonymous or (file.endswith(".cpp") and (not named or "(" in name or name[0].islower())):
                        continue
                    count += 1
                    seen.setdefault((space, name), set()).add(path)
    if len(seen) < 500:
        sys.exit(f"{len(seen)} names found: is this the project's root?")
    problems = [f"{space}::{name} is declared in {', '.join(sorted(paths))}"
                for (space, name), paths in sorted(seen.items()) if len(paths) > 1]
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main(sys.argv[1])
