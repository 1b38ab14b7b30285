"""missing_op.py ROOT BUILD FOLDER: adds an op of each level to a copy of Ops.def and compiles what says something about
every op. Prints, for each concern, what the compiler or the linker says is missing; exits with 1 if one says nothing.
"""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys

NN, SHARE = "Probe", "ShareProbe"
ROWS = f"""
SD_OP({NN}, "nn.probe", Nn, 0, 1, 1, None, (), (), "an op that nothing knows")
SD_OP({SHARE}, "share.probe", Share, 0, 1, 1, Interactive, (), (), "an op that nothing knows")
"""
# What is said of each op, where, and of which of the two.
SWITCHES = [
    ("who holds its operands", "ir/core/OpRules.cpp", {SHARE}),
    ("meaning of nn ops", "ir/core/ReferenceClear.cpp", {NN}),
    ("meaning of share ops", "ir/core/ReferenceShare.cpp", {SHARE}),
    ("meaning of share ops, observed", "ir/core/Interpreter.cpp", {SHARE}),
    ("meaning over any numbers", "ir/core/ReferenceLinear.cpp", {NN, SHARE}),
    ("fingerprint", "ir/Fingerprint.cpp", {NN}),
    ("kind of result", "ir/bytecode/ResultKinds.cpp", {NN, SHARE}),
    ("cost", "ir/bytecode/ProgramCost.cpp", {SHARE}),
    ("memory", "ir/bytecode/ProgramMemory.cpp", {SHARE}),
    ("correlations", "runtime/offline/Plan.cpp", {SHARE}),
    ("execution", "runtime/vm/LocalOps.cpp", {SHARE}),
    ("channels", "passes/Channels.cpp", {NN}),
    ("magnitudes", "passes/Magnitudes.cpp", {NN}),
    ("what can be quantised", "passes/QuantizeCheck.cpp", {NN}),
    ("quantisation", "passes/Quantize.cpp", {NN}),
    ("truncations", "passes/PlaceTruncations.cpp", {SHARE}),
    ("intervals", "passes/IntervalRules.cpp", {NN, SHARE}),
]
RULES = "ir/core/OpRules.cpp"


class Compiler:
    def __init__(self, root, build, folder):
        self.root, self.folder = root, folder
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            self.commands = {os.path.relpath(each["file"], root): each for each in json.load(file)}

    def run(self, source, *more):
        """Compiles with the copy ahead of the tree; to nothing, or as `more` says."""
        entry = self.commands[source]
        words = shlex.split(entry["command"])
        at = words.index("-o")
        words[at : at + 2] = []
        words.remove("-c")
        words.insert(1, "-I" + self.folder)
        done = subprocess.run(words + list(more or ["-fsyntax-only"]), cwd=entry["directory"], capture_output=True,
                              text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
        return done.returncode, done.stderr, "-Werror" in words


def switched(compiler, concern, source, wanted):
    for _ in range(2):  # GCC can't always load a precompiled header, as where its address is taken: that says nothing
        code, text, strict = compiler.run(source)
        found = set(re.findall(r"enumeration value '(\w+)' not handled in switch", text))
        if found or code == 0:
            break
    good = found == wanted and (code != 0) == strict
    return good, f"{concern}: {source}: {', '.join(sorted(found)) or 'nothing is missing'}" + ("" if good else "\n" + text)


def linked(compiler, folder):
    made = os.path.join(folder, "OpRules.o")
    code, text, _ = compiler.run(RULES, "-Wno-switch", "-c", "-o", made)
    if code == 0:
        done = subprocess.run(["c++", "-shared", "-Wl,--no-undefined", made, "-o", os.path.join(folder, "rules.so")],
                              capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
        text = done.stderr
    missing = [f"rule{name}" for name in (NN, SHARE) if re.search(rf"undefined reference to .*rule{name}\(", text)]
    good = len(missing) == 2
    return good, f"rules: {', '.join(missing) or 'nothing is missing'}" + ("" if good else "\n" + text)


def main(root, build, folder):
    os.makedirs(os.path.join(folder, "ir/core"), exist_ok=True)
    with open(os.path.join(root, "ir/core/Ops.def"), encoding="utf-8") as file:
        ops = file.read()
    with open(os.path.join(folder, "ir/core/Ops.def"), "w", encoding="utf-8") as file:
        file.write(ops + ROWS)
    compiler = Compiler(root, build, folder)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda each: switched(compiler, *each), SWITCHES))
    results.append(linked(compiler, folder))
    for good, text in results:
        print(text, file=sys.stdout if good else sys.stderr)
    return 0 if all(good for good, _ in results) else 1


sys.exit(main(*sys.argv[1:]))
