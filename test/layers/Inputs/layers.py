"""layers.py ROOT: holds every #include and every library's DEPS against the layers, files against 600 lines, and switches
over OpKind against a default.

A folder may include itself and what stands behind its name. The link lines say the same to the linker; this says it to
headers without code, and names the line.
"""
import os
import re
import sys

TYPES = "ir/core"
RUNTIME_BASE = f"{TYPES} runtime/crypto runtime/net runtime/kernels"
OFFLINE = f"{RUNTIME_BASE} ir/bytecode runtime/ot runtime/he"
PROTOCOL = f"{OFFLINE} runtime/offline"
LAYERS = {
    "ir/core": "",
    "ir/bytecode": TYPES,
    "ir": f"{TYPES}",
    "passes": f"ir {TYPES}",
    "compiler/onnx": f"ir {TYPES}",
    "compiler/codegen": f"ir {TYPES} ir/bytecode",
    "compiler": f"ir {TYPES} ir/bytecode passes compiler/onnx compiler/codegen",
    "runtime/crypto": TYPES,
    "runtime/net": f"{TYPES} runtime/crypto",
    "runtime/kernels": f"{TYPES}",
    "runtime/ot": RUNTIME_BASE,
    "runtime/he": RUNTIME_BASE,
    "runtime/offline": OFFLINE,
    "runtime/protocol": PROTOCOL,
    "runtime/store": PROTOCOL,
    "runtime/vm": f"{PROTOCOL} runtime/protocol runtime/store",
    "runtime/service": f"{PROTOCOL} runtime/protocol runtime/store runtime/vm",
    "data": f"{TYPES} ir/bytecode runtime/vm",
    "api": f"{TYPES} ir ir/bytecode passes compiler compiler/codegen {PROTOCOL} runtime/store runtime/vm",
    "tools": None,  # mains: anything
}
# Libraries of others that one folder alone may see.
PRIVATE = {"onnx/": "compiler/onnx", "google/protobuf": "compiler/onnx", "CLI/": "tools", "toml++/": "tools", "httplib.h": "tools", "libpq-fe.h": "runtime/store", "llvm/": "", "mlir/": ""}
LINES = 600


def folderOf(path):
    parts = path.split("/")[:-1]
    while parts and "/".join(parts) not in LAYERS:
        parts.pop()
    return "/".join(parts)


def sources(root):
    for top in sorted({name.split("/")[0] for name in LAYERS}):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith((".h", ".cpp", ".def")) or name == "CMakeLists.txt":
                    yield os.path.relpath(os.path.join(folder, name), root)


def checkInclude(folder, included, quoted):
    if quoted and "/" in included:
        other, allowed = folderOf(included), LAYERS[folder]
        if not other:
            return f'"{included}" is in no layer'
        if allowed is not None and other != folder and other not in allowed.split():
            return f"{folder} may not include {other} ({included})"
    for prefix, owner in PRIVATE.items():
        if included.startswith(prefix) and not quoted and (not owner or not folder.startswith(owner)):
            return f"{included} belongs to {owner or 'nobody'}, not to {folder}"
    return None


def switchesWithDefault(text):
    """Lines of switches over OpKind that have a `default:` of their own: nothing would name a new op there."""
    for match in re.finditer(r"\bswitch \(", text):
        depth, own = 0, []
        for token in re.finditer(r"[{}]|\bdefault:|\bcase OpKind::|\bcase SD_(?:NN|SHARE)_", text[match.end() :]):
            if token[0] in "{}":
                depth += 1 if token[0] == "{" else -1
                if depth == 0:
                    break
            elif depth == 1:
                own.append(token[0])
        if "default:" in own and len(own) > 1:
            yield text.count("\n", 0, match.start()) + 1


def main(root):
    problems, owner, links = [], {}, []
    for path in sources(root):
        text = open(os.path.join(root, path), encoding="utf-8").read()
        folder = folderOf(path)
        if path.endswith("CMakeLists.txt"):
            for name, body in re.findall(r"sd_library\(\s*(\w+)([^)]*)\)", text):
                owner[name] = folder
                links.append((path, folder, body.split("DEPS")[-1].split()))
            continue
        if text.count("\n") > LINES:
            problems.append(f"{path}: {text.count(chr(10))} lines; at most {LINES}")
        for number in switchesWithDefault(text):
            problems.append(f"{path}:{number}: a switch over OpKind has a default, which would hide a new op")
        for number, line in enumerate(text.split("\n"), 1):
            include = re.match(r'\s*#\s*include\s+(["<])([^">]+)', line)
            problem = include and checkInclude(folder, include[2], include[1] == '"')
            if problem:
                problems.append(f"{path}:{number}: {problem}")
    for path, folder, deps in links:
        for dep in deps:
            other, allowed = owner.get(dep), LAYERS[folder]
            if other and other != folder and allowed is not None and other not in allowed.split():
                problems.append(f"{path}: {folder} may not link {dep} of {other}")
    if len(owner) < 10:
        problems.append("fewer than ten libraries found: is this the project's root?")
    sys.exit("\n".join(problems) if problems else 0)


main(sys.argv[1])
