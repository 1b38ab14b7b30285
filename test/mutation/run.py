"""Applies the mutations to a copy of the tree, builds the tests that must notice, and runs them under each mutation.

Known answers (digests of runs with fixed seeds) do not count: they notice any change, and say nothing about security.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
KNOWN_ANSWERS = "*KnownAnswer*:*AnswersOf*:*DerivesByName*:*NonceIs*"
SWITCH = '''// Which mutation is on: SD_MUTANT in the environment.
#pragma once
#include <cstdlib>
namespace sd {
inline bool mutant(int number) {
  static const int on = [] {
    const char *text = std::getenv("SD_MUTANT");
    return text ? std::atoi(text) : 0;
  }();
  return on == number;
}
} // namespace sd
'''


def fail(text):
    sys.exit(f"mutation test: {text}")


def number_of(mutation):
    """Of the name alone, so that a new mutation leaves the others' objects as they are."""
    return zlib.crc32(mutation.name.encode()) >> 1


def mutate(texts, mutation):
    """Replaces the text of one mutation; `M` becomes its condition."""
    text = texts.setdefault(mutation.file, (ROOT / mutation.file).read_text())
    found = text.count(mutation.old)
    if found != mutation.count:
        fail(f"{mutation.name}: {mutation.file} has the text {found} times, not {mutation.count}:\n{mutation.old}")
    parts = mutation.new.split("M")
    new = parts[0]
    for part in parts[1:]:  # a lone M, not one of a word
        lone = not (new[-1:].isalnum() or new[-1:] == "_") and not (part[:1].isalnum() or part[:1] == "_")
        new += (f"::sd::mutant({number_of(mutation)})" if lone else "M") + part
    texts[mutation.file] = text.replace(mutation.old, new)


def write(path, text):
    """Only where it differs, so that a second build does little."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copy_tree(tree, texts):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True,
                           text=True).stdout.splitlines()
    for name in names:
        source, target = ROOT / name, tree / name
        if not source.is_file():
            continue
        if name in texts:
            first = texts[name].index("#include")
            write(target, texts[name][:first] + '#include "runtime/Mutant.h"\n' + texts[name][first:])
        elif not target.exists() or source.read_bytes() != target.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    write(tree / "runtime/Mutant.h", SWITCH)
    for path in tree.rglob("*"):  # what has gone from the checkout since the last run
        name = path.relative_to(tree).as_posix()
        if path.is_file() and not name.startswith("build/") and name != "runtime/Mutant.h" and not (ROOT / name).is_file():
            path.unlink()
    shared = ROOT.parent / "shared"
    if shared.exists() and not (tree.parent / "shared").exists():
        (tree.parent / "shared").symlink_to(shared)


def run(tree, program, pattern, number, limit):
    """Names of the tests that fail; None if all pass."""
    command = [str(tree / "build/release/bin" / program), f"--gtest_filter={pattern}-{KNOWN_ANSWERS}", "--gtest_fail_fast"]
    environment = dict(os.environ, SD_MUTANT=str(number), ASAN_OPTIONS="detect_leaks=0")
    try:
        done = subprocess.run(command, cwd=tree / "build/release", env=environment, timeout=limit, text=True,
                              capture_output=True)
    except subprocess.TimeoutExpired:
        return ["(no end)"]
    failed = sorted({line.split("]", 1)[1].split(",")[0].split(" (")[0].strip() for line in done.stdout.splitlines()
                     if line.startswith("[  FAILED  ]") and "." in line})
    if done.returncode == 0:
        if "[  PASSED  ] 0 tests" in done.stdout:
            fail(f"{program} has no test {pattern}")
        return None
    return failed or [f"(exit {done.returncode})"]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help="mutations; all if none is named")
    options.add_argument("--list", action="store_true", help="names and what they break")
    options.add_argument("--jobs", type=int, default=os.cpu_count(), help="of the build")
    options.add_argument("--limit", type=int, default=600, help="seconds for one test program")
    options.add_argument("--work", type=Path, default=ROOT / "build/mutation", help="where the copy goes")
    arguments = options.parse_args()
    if arguments.list:
        for mutation in MUTATIONS:
            print(f"{mutation.name:28} {mutation.breaks} ({mutation.file})")
        return 0
    unknown = set(arguments.names) - {m.name for m in MUTATIONS}
    if unknown:
        fail(f"no mutation {', '.join(sorted(unknown))}; see --list")
    if len({number_of(m) for m in MUTATIONS}) != len(MUTATIONS):
        fail("two mutations have one name, or one number")
    texts = {}
    for mutation in MUTATIONS:
        mutate(texts, mutation)
    chosen = [m for m in MUTATIONS if not arguments.names or m.name in arguments.names]
    programs = sorted({program for m in chosen for program, _ in m.tests})

    tree = arguments.work.resolve() / "tree"
    copy_tree(tree, texts)
    build = tree / "build/release"
    if not (build / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "release"], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "release", f"-j{arguments.jobs}", "--target", *programs, "--", "-k0"], cwd=tree,
                   check=True)

    print("without a mutation")
    for program, pattern in sorted({test for m in chosen for test in m.tests}):
        failed = run(tree, program, pattern, 0, arguments.limit)
        if failed:
            fail(f"{program} {pattern} fails without any mutation: {', '.join(failed)}")

    survived = []
    for mutation in chosen:
        start, killers = time.time(), []
        for program, pattern in mutation.tests:
            killers += run(tree, program, pattern, number_of(mutation), arguments.limit) or []
            if killers:
                break
        verdict = "killed  " if killers else "SURVIVED"
        if not killers:
            survived.append(mutation.name)
        print(f"{verdict} {mutation.name:28} {time.time() - start:5.1f} s  {', '.join(killers[:3]) or mutation.breaks}", flush=True)
    print(f"{len(chosen) - len(survived)} of {len(chosen)} mutations killed" + (f"; survived: {', '.join(survived)}" if survived else ""))
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
