"""paper_data.py ROOT SHARED WORK BIN PORT: examples/paper on the original files: whole test sets, and training anew."""
import os
import subprocess
import sys

root, shared, work, programs, port = sys.argv[1:]
data = os.path.join(os.environ.get("SD_SHARED", shared), "data")
example = os.path.join(root, "examples", "paper")
if not os.path.isdir(data):
    print(f"NOT TESTED: there is no folder {data}", file=sys.stderr)
    print("as expected")
    sys.exit()
os.makedirs(work, exist_ok=True)


def run(program, *arguments):
    command = [os.path.join(example, program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True,
                          env={**os.environ, "BIN": programs, "PORT": port, "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr}"
    return done.stdout


def accuracies(text):
    """By network, the records and the accuracy in floats."""
    lines = [line for line in text[text.index("Accuracy"):].splitlines()[2:] if " % " in line]
    return {line.split(",")[0].split(":")[0]: (int(line.split(" % ")[0].split()[-2]), float(line.split(" % ")[0].split()[-1]))
            for line in lines}


# Of the whole test sets, in the figures of README.md.
found = accuracies(run("run.sh", "--data", data, "--only", "m1,bc,di,li,th", "--records", "1", "--checked", "4000"))
wanted = {"M1": (4000, 97), "breast cancer": (113, 97.3), "diabetes": (154, 79.2), "liver": (116, 72.4), "thyroid": (3428, 97.8)}
assert {name: count for name, (count, _) in found.items()} == {name: count for name, (count, _) in wanted.items()}, found
assert all(abs(found[name][1] - share) <= (1 if name == "M1" else 0.05) for name, (_, share) in wanted.items()), found

weights = os.path.join(work, "w.npz")
assert "bc: 9" in run("train.py", data, weights, "bc")
again = accuracies(run("run.sh", "--data", data, "--weights", weights, "--only", "bc", "--records", "1"))
assert again["breast cancer"][0] == 113 and again["breast cancer"][1] > 90, again
print("as expected")
