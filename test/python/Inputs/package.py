"""package.py ROOT DIR: what test/python/package.test checks, a line each."""
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sdc

root, folder = Path(sys.argv[1]), Path(sys.argv[2])
warnings.simplefilter("ignore")
X, y = load_breast_cancer(return_X_y=True)
X = (X / X.max(0)).astype(np.float32)
train, test = slice(0, 400), slice(400, None)
pipeline = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=200, random_state=0)).fit(X[train], y[train])
model = sdc.sklearn.export(pipeline)

program = sdc.compile(model, input_range=(0, 1))
print(f"compiled: {program.ring} bits, inputs {program.inputs}, outputs {[name for name, _ in program.outputs]}")
report = program.check(X[test], y[test])
print(f"check: {report.records} records, same class {report.same_class}, within bounds {report.within_bounds}, "
      f"errors below 0.002 {bool((report.errors < 0.002).all() and report.errors.shape == (169,))}")
print("confusion sums to 169", report.confusion().sum() == 169)
seen = []
few = X[400:403]
result = program.run_local(few, progress=lambda done, all_: seen.append(done))
scores = report.fixed["scores"][:3]
print("a secure run is the fixed-point program", np.array_equal(result.outputs["scores"], scores))
print("progress", seen)
print("words", [result.classes[i] == str(scores[i].argmax()) for i in range(3)])
lan, wan = program.estimate("lan"), program.estimate("wan")
print(f"estimate: wan slower than lan {wan.online_seconds > lan.online_seconds}, layers have bytes "
      f"{sum(row['online_bytes'] for row in lan.rows) > 0}")
of_layers = [sum(row[key] for row in lan.rows) for key in ("offline_bytes", "comparisons")]
print("layers sum to the program's", of_layers == [lan.offline_bytes, lan.data["cost"]["comparisons"]],
      all(row["ops"] for row in lan.rows), sum(row["online_seconds"] for row in lan.rows) <= lan.online_seconds)

program.save(folder / "m.sdb")
(folder / "hospital").mkdir()
(folder / "hospital" / "m.sdb").write_bytes((folder / "m.sdb").read_bytes())
loaded, public = sdc.load(folder / "m.sdb"), sdc.load(folder / "hospital" / "m.sdb")
print(f"loaded: same digest {loaded.digest == program.digest}, weights {loaded.has_weights}, the hospital's copy has none "
      f"{public.has_weights}")
with sdc.Service(loaded) as service, sdc.Client(service.address, program=public) as client:
    print("over TCP the same", np.array_equal(client.predict(few).outputs["scores"], scores))
subprocess.run(["bash", root / "scripts/make-certs", folder / "ca", "authority"], check=True, capture_output=True)
for name, kind in (("localhost", "service"), ("north", "hospital")):
    subprocess.run(["bash", root / "scripts/make-certs", folder / "ca", kind, name], check=True, capture_output=True)


def tls(name):
    return {"cert": folder / "ca" / f"{name}.pem", "key": folder / "ca" / f"{name}.key", "ca": folder / "ca" / "ca.pem"}


service = sdc.Service(loaded, tls=tls("localhost"))
with service:
    port = service.address.rsplit(":", 1)[1]
    client = sdc.Client(f"localhost:{port}", program=public, tls=tls("north"))
    print("over TLS the same", np.array_equal(client.predict(few).outputs["scores"], scores))
    client.predict(few)
print(f"served {service.sessions} sessions")
print("the address after the end:", service.address == f"127.0.0.1:{port}")

wide = np.zeros((6, 60))
wide[::2, ::2] = few
print("strided and doubles", np.array_equal(program.run_local(wide[::2, ::2]).outputs["scores"], scores))
results = [None] * 4


def run(i):
    results[i] = program.run_local(few).outputs["scores"]


threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("four threads at once", all(np.array_equal(r, scores) for r in results))
secure = sdc.SecureClassifier(LogisticRegression()).fit(X[train], y[train])
print("the estimator:", np.mean(secure.predict(X[400:420]) == secure.estimator_.predict(X[400:420])), "of 20 as in the clear")
matrix = report.plot_confusion()
print("ticks are classes", list(matrix.get_xticks()), list(matrix.get_yticks()))
print("figures", sum(ax is not None for ax in (report.plot_errors(), report.plot_confusion(), lan.plot())))


def tell(what, call):
    try:
        call()
        print(f"{what}: no error")
    except Exception as error:
        print(f"{what}: {type(error).__name__} {getattr(error, 'problems', None) or error}")


client.close()
unknown = helper.make_model(
    helper.make_graph([helper.make_node("Det", ["x"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])],
                      [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])]),
    opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
other = sdc.compile(sdc.sklearn.export(LogisticRegression().fit(X[train], y[train])), input_range=(0, 1))
tell("closed client", lambda: client.predict(few))
tell("no file", lambda: sdc.compile(folder / "none.onnx"))
tell("no model", lambda: sdc.compile(b"junk"))
tell("no type", lambda: sdc.compile(5))
tell("problems", lambda: sdc.compile(unknown))
tell("scale", lambda: sdc.compile(model, scale=1000))
tell("option's type", lambda: sdc.compile(model, scale="large"))
tell("shape", lambda: program.run_local(few[:, :10]))
tell("NaN", lambda: program.run_local(np.full((2, 30), np.nan)))
tell("text", lambda: program.run_local(np.array([["a"]])))
tell("range", lambda: program.run_local(few * 5))
tell("no records", lambda: program.run_local(np.zeros((0, 30))))
tell("name", lambda: program.run_local({"Q": few}))
tell("labels", lambda: program.check(X[:5], [0, 1]))
tell("no weights", lambda: public.run_local(few))
tell("nobody there", lambda: sdc.Client("127.0.0.1:1", program=public, timeout=1).predict(few))
tell("plain TCP", lambda: sdc.Service(program, address="0.0.0.0:0"))
with sdc.Service(other) as service:
    tell("another program", lambda: sdc.Client(service.address, program=public, timeout=10).predict(few))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    sdc.compile(model)
    print("calibration:", {w.category.__name__ for w in caught}.pop())
