"""says.py SDC DIR: what `sdc compile` says on stderr, the package says too, in warnings and notes."""
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sdc

tool, folder = sys.argv[1], Path(sys.argv[2])
warnings.simplefilter("ignore")
X, y = load_breast_cancer(return_X_y=True)
X = (X / X.max(0)).astype(np.float32)
smooth = make_pipeline(StandardScaler(), MLPClassifier((8,), activation="tanh", max_iter=100, random_state=0)).fit(X, y)
model = folder / "model.onnx"
model.write_bytes(sdc.sklearn.export(smooth).SerializeToString())
np.save(folder / "X.npy", X[:150])


def lines(texts):
    # A command is named by each in its own words.
    return sorted(line for text in texts for line in text.splitlines() if not line.startswith("* is: "))


def compare(what, path, flags, **options):
    run = subprocess.run([tool, "compile", path, "-o", folder / "m.sdb", *flags], capture_output=True, text=True)
    said = [line.removeprefix("warning: ").removeprefix("note: ") for line in run.stderr.splitlines()]
    program = sdc.compile(path, **options)
    same = lines(program.warnings + program.notes) == lines(said)
    print(f"{what}: the same {same}, {'something' if said else 'nothing'}, digest {program.digest[:8]}",
          "" if same else f"\n{lines(said)}\n{lines(program.warnings + program.notes)}")
    return program


compare("without a range", model, [])
compare("proved", model, ["--input-range", "0,1"], input_range=(0, 1))
compare("measured", model, ["--calibrate", folder / "X.npy"], calibrate=X[:150])
compare("private", model, ["--input-range", "0,1", "--private-normalization"], input_range=(0, 1),
        private_normalization=True)
program = compare("coarse", model, ["--input-range", "0,1", "--scale", "16"], input_range=(0, 1), scale=16, keep_model=False)
print("approximations are among the notes", any("knots, within" in note for note in program.notes))
for call in (lambda: program.check(X[:5]), lambda: sdc.compile(model, input_range=(0, 1), bound=31),
             lambda: sdc.compile(model, input_range=(0, 1e300)),
             lambda: sdc.compile(model, calibrate=X[:150], scale=2)):
    try:
        call()
    except sdc.Error as error:
        print(f"{type(error).__name__}: {str(error).splitlines()[0]}", "on the 150 calibration records" in str(error))
(folder / "wide.sdir").write_text("""module "m" ring 64 {
  %x = nn.input {name = "x", shape = [1, 2], low = 0, high = 1}
  %w = nn.constant {value = floats<2x2> [1, 2, 3, 4]}
  %y = nn.matmul %x, %w
  %r = nn.relu %y
  nn.return %r {names = ["r"]}
}
""")
print("a bound of the file's own ring:", sdc.compile(folder / "wide.sdir", bound=40).ring)
